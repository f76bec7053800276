"""The proof by replay: labels of a labelled dataset are hidden, and each strategy chooses which to uncover."""
