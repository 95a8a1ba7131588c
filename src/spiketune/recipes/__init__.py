"""Ready-made searches, as YAML files."""
