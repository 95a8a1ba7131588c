"""What is measured on the activity of a network."""
