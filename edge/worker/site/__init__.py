"""The site behind the worker: asked, kept, cut, and passed on as it comes."""
