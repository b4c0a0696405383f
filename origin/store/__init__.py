"""What the origin keeps: values, their tables in SQLite, and artifacts as files."""
