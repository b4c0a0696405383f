"""Rules: read, checked, and compiled into what the engine goes by."""
