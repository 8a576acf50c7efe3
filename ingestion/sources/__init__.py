"""Settings of a source: credentials, field mapping and URL template."""
