"""What an experiment folder holds, and how it is read and written."""
