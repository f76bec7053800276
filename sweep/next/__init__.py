"""``python -m sweep.next``: which unlabelled tiles are worth labelling next."""
