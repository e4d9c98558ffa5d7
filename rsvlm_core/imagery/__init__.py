"""Rasters of any kind as windows of uint8 RGB with validity, and where they lie on the ground."""
