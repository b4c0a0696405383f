"""What `nearside` takes and prints."""
