"""A broker that is a folder, for trying out on one machine without a message server.

Celery's own folder transport, with two of its steps made whole: a message appears under its name only when written to
the end, and is taken by renaming it within the folder, so that no reader meets half a message and no two take the same.
A message taken by a process that then dies is lost, which this system's messages may be.
"""

import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

BROKER_URL = "folder://localhost"


class Channel(filesystem.Channel):
    """Puts and takes messages as files named `<time>_<id>.<queue>.msg`; names sort by age."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}"
        draft = self._folder / f"{name}.draft"
        draft.write_text(dumps(payload))
        draft.rename(self._folder / f"{name}.{queue}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        ending = f"{queue}.msg"
        for name in sorted(os.listdir(self._folder)):  # noqa: PTH208 - a Path a name would cost more than the rest
            if name.partition(".")[2] != ending:
                continue
            taken = self._folder / f"{name}.taken"
            try:
                (self._folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another reader was faster
            text = taken.read_text()
            taken.unlink()
            payload: dict[str, Any] = loads(text)
            return payload
        raise Empty

    @property
    def _folder(self) -> Path:
        return Path(self.data_folder_in)


class Transport(filesystem.Transport):
    """The transport of `folder://`, known to kombu by importing this module."""

    Channel = Channel
    driver_type = "folder"
    driver_name = "folder"


def transport_options(folder: Path) -> dict[str, Any]:
    """Celery's settings for the folder, which is made when it is not there."""
    messages, control = folder / "messages", folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        # At the transport's own interval of a second a worker would take five tasks a second.
        "polling_interval": 0.05,
    }


TRANSPORT_ALIASES["folder"] = f"{__name__}:Transport"
