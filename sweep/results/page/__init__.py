"""The report: one page of HTML that needs nothing else, gathered from an experiment's records."""
