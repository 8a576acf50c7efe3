"""Health checks, the broker's queues and the machine, behind `/health` and the admin's start page."""
