"""What is searched in each phase, and nothing else."""
