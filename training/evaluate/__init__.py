"""Evaluation, headless: `python -m training.evaluate retrieval|classify|segment|caption|vqa|holdout --help`."""
