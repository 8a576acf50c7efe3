"""The PostgreSQL backend for the embedded server, which the first connection starts.

Importing the settings, `manage.py help` or a type check start nothing; a command that reads the database uses the
running server of `DATA_DIR`, or runs it for as long as the command takes.
"""

from django.conf import settings
from typing_extensions import override

from temperature_site.dev.embedded_postgres.server import shared_server
from temperature_site.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """The site's wrapper, with the address determined on the first connection."""

    @override
    def get_connection_params(self) -> dict[str, object]:
        self.settings_dict["HOST"] = str(shared_server(settings.DATA_DIR / "postgres").socket_directory)
        return super().get_connection_params()
