"""What visitors are told of themselves, and what they wish."""
