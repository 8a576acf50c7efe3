"""Settings of a source: credentials, field mapping and URL template."""


class SettingError(ValueError):
    """A setting of a source is invalid: `field` names it, the message is for the person who set it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
