"""Benchmarks against peers, and load tests."""
