"""Pseudo-label rounds: a model's own smoothed attention maps, filtered, become the labels it trains on next."""
