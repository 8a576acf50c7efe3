"""Building blocks of pages and of the admin."""
