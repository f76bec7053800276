"""Side-by-side measurements against what a user would pick instead; each module is a command."""
