"""The workspace as JSON Schema, for editors."""
