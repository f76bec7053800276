"""What came out of a sweep: tables, ledger, leaderboard, figures."""
