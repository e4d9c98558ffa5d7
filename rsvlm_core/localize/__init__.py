"""From patch features and texts to a score raster, a mask and polygons."""
