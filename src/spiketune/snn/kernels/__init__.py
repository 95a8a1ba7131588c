"""Neurons over all time steps in one call: a plain reference, and what is faster than it."""
