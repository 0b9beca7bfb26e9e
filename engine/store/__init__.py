"""What the booth keeps: clips, ballots, votes, drawings, generations; in SQLite or PostgreSQL.

Runs on: booth process, and whoever breeds generations.
"""
