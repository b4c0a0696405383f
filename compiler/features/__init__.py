"""Features: read, and compiled into the graph."""
