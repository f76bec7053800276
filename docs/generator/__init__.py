"""Makes the site: ``python -m docs.generator``."""
