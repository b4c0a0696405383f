"""What people order of an origin, as calls to it."""
