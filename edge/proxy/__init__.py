"""HTTP between the worker and the site: what may be kept and reused, and how the site is asked."""
