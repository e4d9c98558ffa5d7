"""Squares of ground over a raster."""
