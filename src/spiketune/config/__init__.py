"""Files: ranges inside YAML, checked models, loading and overrides."""
