"""What happened: records, tokens, and the spool that keeps them until they are shipped."""
