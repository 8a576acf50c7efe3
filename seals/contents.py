"""What the hashes are computed from: readings, blocks of readings, revisions, entries of the trail, and seals.

Readings are packed into 43 bytes, everything else is canonical JSON. docs/tamper-evidence.md describes the formats for
those who check an export with other means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from struct import Struct
from typing import NamedTuple

from core.crypto.merkle import CanonicalValue, MerkleTree, canonical_json, leaf_hash, link_hash, merkle_root
from readings.storage.reading_batch import microseconds_of

FINGERPRINT_BYTES = 4
# Big-endian: unit, sensor, recorded at and arrived at in microseconds since 1970, temperature, quality, status, scale.
_READING = Struct(">iiqqddhc")


class SealedReading(NamedTuple):
    """A reading as it is hashed. Sorts in the order of its block; the instants are in microseconds since 1970."""

    storage_unit_id: int
    recorded_at_us: int
    sensor_id: int
    arrived_at_us: int
    temperature_c: float | None
    quality_score: float
    equipment_status_id: int
    scale: str


def reading_content(reading: SealedReading) -> bytes:
    """Return what the leaf of a reading is the hash of; a missing temperature is NaN."""
    unit_id, recorded_at_us, sensor_id, arrived_at_us, temperature_c, quality_score, status_id, scale = reading
    return _READING.pack(
        unit_id,
        sensor_id,
        recorded_at_us,
        arrived_at_us,
        math.nan if temperature_c is None else temperature_c,
        quality_score,
        status_id,
        scale.encode("ascii"),
    )


class BlockKey(NamedTuple):
    """Which readings a block holds: those of a unit and day that arrived in time (None), or at one later instant."""

    storage_unit_id: int
    day: date
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Block:
    """The number, the root and the fingerprints of the readings of a block."""

    key: BlockKey
    reading_count: int
    root: bytes
    fingerprints: bytes

    @classmethod
    def of(cls, key: BlockKey, readings: Iterable[SealedReading]) -> Block:
        """Return the block over these readings, which come in order."""
        tree, fingerprints = MerkleTree(), bytearray()
        for reading in readings:
            leaf = leaf_hash(reading_content(reading))
            tree.add(leaf)
            fingerprints += leaf[:FINGERPRINT_BYTES]
        return cls(key, tree.count, tree.root, bytes(fingerprints))

    @property
    def content(self) -> bytes:
        """What the block's leaf in the seal is the hash of."""
        return canonical_json(self.values())

    def values(self) -> dict[str, CanonicalValue]:
        """Return the content as it is written to JSON."""
        return {
            "unit": self.key.storage_unit_id,
            "day": self.key.day.isoformat(),
            "arrived_at": None if self.key.arrived_at is None else microseconds_of(self.key.arrived_at),
            "count": self.reading_count,
            "root": self.root.hex(),
        }


@dataclass(frozen=True, slots=True)
class Branch:
    """One of the trees of a seal: how many leaves it has, and their root."""

    count: int
    root: bytes

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> Branch:
        """Return the tree over the hashes of these leaves."""
        listed = list(leaves)
        return cls(len(listed), merkle_root(listed))

    def content(self) -> dict[str, CanonicalValue]:
        """Return it as a part of a seal's content."""
        return {"count": self.count, "root": self.root.hex()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SealContent:
    """What a seal's root is computed from, besides the root of the previous seal."""

    customer_id: int | None
    sequence: int
    day: date
    closed_at: datetime
    reading_count: int
    blocks: Branch
    revisions: Branch
    entries: Branch
    chain_position: int
    chain_hash: bytes = field(repr=False)

    def root_after(self, previous_root: bytes) -> bytes:
        """Return the root of the seal with this content after the seal with `previous_root`."""
        return link_hash(previous_root, self.canonical())

    def canonical(self) -> bytes:
        """Return the content as canonical JSON."""
        return canonical_json(self.values())

    def values(self) -> dict[str, CanonicalValue]:
        """Return the content as it is written to JSON."""
        return {
            "customer": self.customer_id,
            "sequence": self.sequence,
            "day": self.day.isoformat(),
            "closed_at": microseconds_of(self.closed_at),
            "reading_count": self.reading_count,
            "blocks": self.blocks.content(),
            "revisions": self.revisions.content(),
            "entries": self.entries.content(),
            "chain": {"position": self.chain_position, "hash": self.chain_hash.hex()},
        }


def record_content(columns: Iterable[str], values: Iterable[str | None]) -> bytes:
    """Return the content of a row as canonical JSON of its columns as text. Empty columns are left out.

    So a column that is added later, empty in the rows that exist by then, does not change what they hash to.
    """
    return canonical_json({name: value for name, value in zip(columns, values, strict=True) if value is not None})
