"""Squares of ground over a raster: tiles to search, windows to localize in."""
