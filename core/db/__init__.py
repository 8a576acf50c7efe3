"""Database access for hot paths: prepared statements and queries compiled once."""
