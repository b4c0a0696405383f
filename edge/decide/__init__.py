"""The decision: a pure function of a bundle and a context."""
