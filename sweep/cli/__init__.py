"""Words of the command line: options, help, output, tables."""
