"""Plots of one trained network: what it tells, when it spikes, what it learned."""
