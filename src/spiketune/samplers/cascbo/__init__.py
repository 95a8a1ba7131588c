"""Constrained, cost-aware Bayesian optimisation in trust regions."""
