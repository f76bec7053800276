"""``make --add``: a dataset's next version, with new tiles beside those that it has."""
