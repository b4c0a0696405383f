"""What several recipes learn with."""
