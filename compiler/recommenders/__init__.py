"""Recommenders: models, and what happens around their scores."""
