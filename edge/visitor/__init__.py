"""What the visitor's own cookie carries."""
