"""What a sweep will train, on what, and what that takes."""
