"""The pages of accounts and settings."""
