"""A broker that is a folder, for trials on one machine without a message server.

Kombu's own filesystem transport with three steps made atomic: a message appears under its name only once it is
completely written, and is consumed by renaming it within the folder, so that no reader sees half a message and no two
consume the same one; processes that start at the same time bind their queues one after the other. A message consumed by
a process that then dies is lost, which this system tolerates.
"""

import fcntl
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

BROKER_URL = "folder://localhost"


class Channel(filesystem.Channel):
    """Store messages as files named `<time>_<id>.<queue>.msg`; names sort by age."""

    def _put(self, queue: str, payload: dict[str, object], **kwargs: Any) -> None:  # type: ignore[override]  # never called by name
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}"
        draft = self._folder / f"{name}.draft"
        draft.write_text(dumps(payload))
        draft.rename(self._folder / f"{name}.{queue}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, object]:
        ending = f"{queue}.msg"
        for name in sorted(os.listdir(self._folder)):  # noqa: PTH208 - a Path per name would cost more than the rest
            if name.partition(".")[2] != ending:
                continue
            taken = self._folder / f"{name}.taken"
            try:
                (self._folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another consumer was faster
            text = taken.read_text()
            taken.unlink()
            payload: dict[str, object] = loads(text)
            return payload
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str) -> None:
        file = Path(self.control_folder) / f"{exchange}.exchange"
        wanted = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            bound = self.get_table(exchange)
            if wanted not in bound:
                draft = file.with_suffix(".draft")
                draft.write_text(dumps([wanted, *bound]))
                draft.rename(file)

    @property
    def _folder(self) -> Path:
        return Path(self.data_folder_in)


class Transport(filesystem.Transport):
    """The transport of `folder://`; importing this module registers it with kombu."""

    Channel = Channel
    driver_type = "folder"
    driver_name = "folder"


def transport_options(folder: Path) -> dict[str, object]:
    """Return Celery's transport options for the folder, creating it if needed."""
    messages, control = folder / "messages", folder / "control"
    try:
        for path in (messages, control):
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR must be a folder that this user may write to: {error}") from error
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        # At the transport's default interval of a second a worker would run five tasks a second.
        "polling_interval": 0.05,
    }


TRANSPORT_ALIASES["folder"] = f"{__name__}:Transport"
