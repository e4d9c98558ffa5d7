"""The window's parts; imported only where there is a window."""
