"""How a sweep runs on Ray."""
