"""Takes over what GrowthBook defines."""
