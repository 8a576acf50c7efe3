"""What can be wrong with the archive."""

from core.db.unavailable import DataUnavailable


class ArchiveError(Exception):
    """Something about the archive that people have to know; the message says what happened and what to do."""


class ArchiveUnavailable(ArchiveError, DataUnavailable):  # noqa: N818 - reads better where it is caught
    """Archived readings are needed that cannot be read: a file is missing, damaged or out of reach."""


class ArchiveBusy(ArchiveError, DataUnavailable):  # noqa: N818 - reads better where it is caught
    """What was read was archived or restored meanwhile, several times: try again."""


class NotVerified(ArchiveError):  # noqa: N818 - reads better where it is caught
    """A file does not hold what the table does. Nothing was changed."""


class AlreadyArchiving(ArchiveError):  # noqa: N818 - reads better where it is caught
    """Another run is archiving."""


class CannotArchive(ArchiveError):  # noqa: N818 - reads better where it is caught
    """The month cannot be archived, or restored, now; the message says why."""
