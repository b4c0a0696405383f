"""Conditions: what may be written, what it means, and the index that they become."""
