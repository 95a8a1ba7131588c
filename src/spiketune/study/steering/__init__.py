"""What a person adds to a search: earlier results, configurations, narrower ranges."""
