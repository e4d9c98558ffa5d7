"""rsvlm: text search and open-vocabulary segmentation for aerial and satellite imagery."""

__version__ = "0.1.0"
