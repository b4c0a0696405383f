"""The recipes, one a file: each trains a model that the compiler can take."""
