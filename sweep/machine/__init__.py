"""What of this machine the process may use."""
