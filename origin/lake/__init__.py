"""What edges reported: read, counted, decided again, and learned from."""
