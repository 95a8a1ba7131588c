"""Data sets as arrays, and the guard before the test split; loads no torch."""
