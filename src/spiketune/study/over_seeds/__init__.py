"""Configurations trained again over seeds: confirmed, retrained, swept."""
