"""What follows the trials of a sweep."""
