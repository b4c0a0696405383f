"""How many requests each audience and campaign would get."""
