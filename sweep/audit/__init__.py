"""``sweep.audit``: labels that are probably wrong, and how right a map is."""
