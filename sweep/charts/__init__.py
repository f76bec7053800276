"""Charts as SVG, for the report's page and as files."""
