"""Making, checking and showing datasets of tiles. Trains nothing, so it may read every split."""
