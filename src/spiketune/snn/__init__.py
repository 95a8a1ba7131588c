"""Spiking networks over time: neurons, layers, networks and encodings, usable alone."""
