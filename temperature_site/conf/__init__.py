"""Settings in parts: database, logging, mail, key, static files, and the checks of them all."""
