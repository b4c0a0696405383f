"""The agent: one a machine; pulls, verifies, lays down, ships."""
