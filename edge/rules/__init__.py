"""Rules: the predicate index that the compiler wrote, matched by look-ups."""
