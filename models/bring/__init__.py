"""Bring your own: models fitted elsewhere, converted to what the edge runs, and proven to be the same."""
