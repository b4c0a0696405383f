"""Trained models: merged into one graph, certified, held to budgets."""
