"""The catalog, cards and contents: read, rendered and escaped."""
