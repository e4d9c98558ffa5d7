"""What a user asks for, from rasters to results; each a page composed of the other rooms."""
