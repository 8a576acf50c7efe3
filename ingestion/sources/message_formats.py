"""Messages of LoRaWAN network servers: where they hold a reading, and by what an uplink is recognised.

A network server sends an uplink once, whichever gateways received it, but repeats it if several of its clusters, or a
retry, deliver it. Its messages about joins, acknowledgements and errors hold no reading.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from ingestion.sources.mapping import FieldMapping

# Messages are larger than this by no sensible payload; a larger body is no message.
_MAX_MESSAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class MessageFormat:
    """A network server's messages, whose field mapping applies where the source sets none.

    `uplink` is the path without which a message is no uplink; `identity` are the paths that are the same in every copy
    of an uplink and different in another one.
    """

    label: str
    mapping: FieldMapping
    uplink: str
    identity: tuple[str, ...]


FORMATS: Mapping[str, MessageFormat] = {
    "the_things_stack": MessageFormat(
        label="The Things Stack",
        mapping=FieldMapping(
            facility_field="end_device_ids.application_ids.application_id",
            unit_field="end_device_ids.device_id",
            sensor_field="end_device_ids.dev_eui",
            time_field="uplink_message.received_at",
            temperature_field="uplink_message.decoded_payload.temperature",
            scale="C",
        ),
        uplink="uplink_message",
        identity=(
            "end_device_ids.device_id",
            "end_device_ids.dev_eui",
            "uplink_message.session_key_id",
            "uplink_message.f_cnt",
            "uplink_message.frm_payload",
        ),
    ),
    "chirpstack": MessageFormat(
        label="ChirpStack",
        mapping=FieldMapping(
            facility_field="deviceInfo.applicationName",
            unit_field="deviceInfo.devEui",
            unit_name_field="deviceInfo.deviceName",
            time_field="time",
            temperature_field="object.temperature",
            scale="C",
        ),
        uplink="rxInfo",
        identity=("deviceInfo.devEui", "devAddr", "fCnt", "data"),
    ),
}


def with_defaults(mapping: FieldMapping, message_format: str) -> FieldMapping:
    """Return a source's mapping with the format's settings in place of those that it leaves at their defaults."""
    known = FORMATS.get(message_format)
    if known is None:
        return mapping
    defaults = {
        field.name: getattr(known.mapping, field.name)
        for field in dataclasses.fields(FieldMapping)
        if getattr(mapping, field.name) == field.default
    }
    return dataclasses.replace(mapping, **defaults)


@dataclass(frozen=True, slots=True)
class ReceivedUplink:
    """What a message is: `key` is the same for every copy of an uplink, b"" if it is no uplink."""

    key: bytes

    @property
    def is_uplink(self) -> bool:
        """Whether the message holds readings."""
        return bool(self.key)


def uplink_in(body: bytes, message_format: str) -> ReceivedUplink | None:
    """Return what a message of this format is; None if the source has no format or the body is not one JSON object."""
    known = FORMATS.get(message_format)
    if known is None or len(body) > _MAX_MESSAGE_BYTES:
        return None
    try:
        message = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None  # parsing the body says what is wrong with it
    if not isinstance(message, dict):
        return None
    if _member(message, known.uplink) is None:
        return ReceivedUplink(b"")
    identity = [_member(message, path) for path in known.identity]
    return ReceivedUplink(sha256(msgspec.json.encode(identity)).digest())


def _member(message: object, path: str) -> object:
    for name in path.split("."):
        message = message.get(name) if isinstance(message, dict) else None
    return message
