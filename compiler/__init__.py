"""The compiler: a workspace, checked and compiled into a bundle."""
