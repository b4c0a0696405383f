"""Says in plain words what changes from one bundle to another."""
