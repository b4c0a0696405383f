"""From a request to the attributes of its context."""
