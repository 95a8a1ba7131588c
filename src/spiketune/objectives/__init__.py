"""What a worker does with a Job."""
