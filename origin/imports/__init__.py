"""Takes over what other systems hold: rules, facts."""
