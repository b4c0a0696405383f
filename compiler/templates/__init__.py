"""The workspaces that `nearside init` copies, a folder for each."""
