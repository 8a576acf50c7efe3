"""The site's PostgreSQL backend on the embedded server, which is started by the first connection and not before.

So importing the settings, `manage.py help` or a type check start nothing, while any command that reads the database
finds the server of `DATA_DIR` running, or runs it for as long as the command lasts.
"""

from typing import Any

from django.conf import settings

from temperature_site.dev.embedded_postgres.server import shared_server
from temperature_site.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """The site's wrapper; only where to connect is found out late."""

    def get_connection_params(self) -> dict[str, Any]:
        self.settings_dict["HOST"] = str(shared_server(settings.DATA_DIR / "postgres").socket_directory)
        return super().get_connection_params()
