"""Stands in for the engine where a test is about the window."""
