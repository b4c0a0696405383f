"""Models: recipes that train, their data, and offline metrics."""
