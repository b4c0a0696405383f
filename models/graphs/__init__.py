"""Score graphs whose numbers are the same on every machine, and what they are built of."""
