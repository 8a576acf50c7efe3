"""Data that cannot be read at present although the database answers."""


class DataUnavailable(Exception):  # noqa: N818 - reads better where it is caught
    """The message says what cannot be read, why, and what to do. The API answers 503."""
