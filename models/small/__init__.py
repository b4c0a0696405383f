"""Fewer bytes for the same lists: how arrays are stored, and the search for the smallest model."""
