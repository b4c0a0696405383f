"""Trains, weighs and shrinks the models of a workspace."""
