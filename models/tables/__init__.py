"""Tables that people give or the lake holds, as features and labels."""
