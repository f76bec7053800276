"""Watching a sweep, also from another terminal or machine, and also when nothing runs any more."""
