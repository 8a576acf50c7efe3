"""HTTP requests to URLs that customers supply, guarded against internal addresses and slow servers."""
