"""Consent as the field writes it down: strings of consent platforms, and signals of browsers."""
