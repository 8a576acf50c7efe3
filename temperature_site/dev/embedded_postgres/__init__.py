"""A real PostgreSQL out of a Python wheel, for trying out, developing and testing without an installed server.

`server` starts, finds and stops it; `base` is the Django database backend that starts it at the first connection.
"""

DATABASE = "temperature"
SUPERUSER = "postgres"
