"""What is trained next: planned trials, and searches with Optuna, one study a group."""
