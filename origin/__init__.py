"""The origin: store, publish, ingest, lake, replay, the demo, the command line."""
