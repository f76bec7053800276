"""The test split: its tiles, the ledger, who may read it."""
