"""Reads what people wrote: texts, YAML with lines, mappings key by key."""
