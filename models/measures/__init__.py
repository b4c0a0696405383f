"""How good lists are, and whom they serve."""
