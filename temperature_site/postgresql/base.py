"""Django's PostgreSQL backend with a quicker health check of the connections that are kept between requests.

Django sends `SELECT 1` before the first query of every request, which costs as much as a query by an index. But a
server that is gone has closed the socket, and a closed socket can be read from: the kernel tells that at once.
"""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """The stock wrapper; an idle connection on whose socket nothing arrived is taken to stand."""

    def is_usable(self) -> bool:
        """Does the connection stand? After an error, and where something arrived unasked, the server is asked."""
        is_quiet = not self.errors_occurred and self._has_nothing_arrived()
        return is_quiet or super().is_usable()

    def _has_nothing_arrived(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        # Not select(): that one fails for descriptors beyond 1,023.
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
