"""MaMMUT and other models, behind one encoder interface."""
