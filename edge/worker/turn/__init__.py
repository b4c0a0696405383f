"""One turn of the event loop: page views become contexts, decisions, and pages."""
