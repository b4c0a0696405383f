"""The demo: a film site, and the whole loop on one machine."""
