"""Who makes a request and what they may do: people, tokens, roles and permissions."""
