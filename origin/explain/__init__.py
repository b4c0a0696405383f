"""Says in words what a bundle decides in a context, and why."""
