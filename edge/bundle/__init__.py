"""The bundle: the contract between the compiler and the edge."""
