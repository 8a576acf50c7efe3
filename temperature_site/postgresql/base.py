"""Django's PostgreSQL backend with a quicker health check of the connections that are kept between requests.

Django sends `SELECT 1` before the first query of every request, which costs as much as an indexed query. But a server
that is gone has closed the socket, and a closed socket is readable, which the kernel reports at once.
"""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper; an idle connection without pending data is considered usable."""

    def is_usable(self) -> bool:
        """Return whether the connection is usable; query the server after an error or if data is pending."""
        is_quiet = not self.errors_occurred and self._has_nothing_arrived()
        return is_quiet or super().is_usable()

    def _has_nothing_arrived(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        # Not select(): that one fails for descriptors beyond 1,023.
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
