"""Guard package placeholder."""
