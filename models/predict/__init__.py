"""Recipes that predict a number, a class or a segment from a row of features."""
