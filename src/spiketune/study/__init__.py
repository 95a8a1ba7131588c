"""The record of a search, and the only loop."""
