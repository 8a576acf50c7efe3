"""A real PostgreSQL from a Python wheel, for trials, development and tests without an installed server.

`server` starts, finds and stops it; `base` is the Django database backend that starts it on the first connection.
"""

DATABASE = "temperature"
SUPERUSER = "postgres"
