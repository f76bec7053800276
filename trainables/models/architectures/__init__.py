"""The architectures that tilesweep brings: a file per family, where each entry stands on the function that builds it.

Listing them imports every file here, so none imports torch before it builds a model. A network that no library has is
in a file of its own in ``trainables.models``.
"""
