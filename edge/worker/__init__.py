"""The worker: serves pages; never talks to the origin."""
