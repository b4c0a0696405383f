"""What pictures and texts of a catalog say, as numbers."""
