"""Predictions: read, and compiled beside their features."""
