"""The subcommands of ``python -m sweep.patches``."""
