#!/usr/bin/env python3
"""Check an export of seals: that readings, revisions and entries of the audit trail are those that were sealed.

    python3 verify_export.py export.zip [--roots roots.csv]

It needs Python 3.9 or newer and nothing else, and none of the system that made the export. `--roots` names a file of
roots that was kept elsewhere. The exit code is 0 if everything matches, 1 if anything differs, 2 if the file cannot be
read.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import struct
import sys
import zipfile
from base64 import b64decode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

LEAF, NODE, LINK = b"\x00", b"\x01", b"\x02"
READING = struct.Struct(">iiqqddhc")
START = "0" * 64
# What JSON was decoded to.
Json = Any


def canonical(value: Json) -> bytes:
    """Return the canonical JSON of a value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(LEAF + data).digest()


def merkle_root(leaves: Iterable[bytes]) -> tuple[int, str]:
    """Return the number of these hashes of leaves, and the root of RFC 6962 over them."""
    subtrees: list[bytes] = []
    count = 0
    for each in leaves:
        subtrees.append(each)
        count += 1
        size = count
        while size % 2 == 0:
            right = subtrees.pop()
            subtrees.append(sha256(NODE + subtrees.pop() + right).digest())
            size //= 2
    if not subtrees:
        return count, sha256(b"").hexdigest()
    root = subtrees.pop()
    while subtrees:
        root = sha256(NODE + subtrees.pop() + root).digest()
    return count, root.hex()


def reading_leaf(row: dict[str, str]) -> bytes:
    """Return the hash of a row of readings.csv."""
    temperature = row["temperature_c"]
    return leaf(
        READING.pack(
            int(row["storage_unit_id"]),
            int(row["sensor_id"]),
            int(row["recorded_at_us"]),
            int(row["arrived_at_us"]),
            float(temperature) if temperature else math.nan,
            float(row["quality_score"]),
            int(row["equipment_status_id"]),
            row["scale"].encode("ascii"),
        )
    )


def lines_of(archive: zipfile.ZipFile, name: str) -> Iterator[Json]:
    """Yield the objects of a file of JSON lines."""
    with archive.open(name) as member:
        for line in io.TextIOWrapper(member, "utf-8"):
            yield json.loads(line)


def rows_of(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file."""
    with archive.open(name) as member:
        yield from csv.DictReader(io.TextIOWrapper(member, "utf-8", newline=""))


def leaves_by_seal(archive: zipfile.ZipFile, name: str) -> dict[int, list[bytes]]:
    """Return the hashes of the records of a file, by seal."""
    leaves: dict[int, list[bytes]] = {}
    for line in lines_of(archive, name):
        leaves.setdefault(line["seal"], []).append(leaf(canonical(line["content"])))
    return leaves


def check_readings(archive: zipfile.ZipFile, blocks: dict[tuple[int, int], Json]) -> Iterator[str]:
    """Yield the blocks whose readings are not those that were sealed."""
    unseen = dict(blocks)
    rows = rows_of(archive, "readings.csv")
    for key, group in groupby(rows, key=lambda row: (int(row["seal"]), int(row["block"]))):
        block = unseen.pop(key, None)
        found = merkle_root(map(reading_leaf, group))
        if block is None:
            yield f"{found[0]} readings of block {key[1]} in seal {key[0]}: there is no such block"
        elif found != (block["count"], block["root"]):
            yield (
                f"readings of unit {block['unit']} on {block['day']} (block {key[1]} of seal {key[0]}): "
                f"{block['count']} were sealed, {found[0]} are there, and their root differs"
            )
    for key, block in unseen.items():
        if block["count"]:
            yield f"readings of unit {block['unit']} on {block['day']} (block {key[1]} of seal {key[0]}): missing"


def check_seals(seals: list[Json], parts: dict[str, dict[int, list[bytes]]]) -> Iterator[str]:
    """Yield the seals that do not follow from their parts or from the seal before. `parts`: leaves by name and seal."""
    previous = None
    for seal in seals:
        content = seal["content"]
        where = f"seal {content['sequence']} of {content['day']}"
        if previous is None:
            if content["sequence"] == 1 and seal["previous_root"] != START:
                yield f"{where}: it is the first one, but follows another"
        elif content["sequence"] != previous["content"]["sequence"] + 1:
            yield f"{where}: it follows seal {previous['content']['sequence']}"
        elif seal["previous_root"] != previous["root"]:
            yield f"{where}: it does not follow from the seal before it"
        if sha256(LINK + bytes.fromhex(seal["previous_root"]) + canonical(content)).hexdigest() != seal["root"]:
            yield f"{where}: its root does not follow from its content"
        for name, leaves in parts.items():
            found = merkle_root(leaves.pop(content["sequence"], []))
            if found != (content[name]["count"], content[name]["root"]):
                yield f"{name} of {where}: {content[name]['count']} were sealed, {found[0]} are there, the root differs"
        previous = seal
    for name, leaves in parts.items():
        for sequence in leaves:
            yield f"{name} of seal {sequence}: there is no such seal"


def check_roots(seals: list[Json], customer_code: str, path: Path) -> Iterator[str]:
    """Yield the seals whose roots are not those of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # The customer may have had another code when the file was written. A root is a hash of the customer's id, too.
    roots = {row["root"] for row in rows}
    known = {int(row["sequence"]) for row in rows if row["customer"] == customer_code}
    exported = {seal["content"]["sequence"]: seal["root"] for seal in seals}
    for sequence, root in exported.items():
        if root in roots:
            continue
        if sequence not in known:
            yield f"seal {sequence}: its root is not in {path}"
        else:
            yield f"seal {sequence}: its root differs from the one in {path}"


def check_time_stamps(archive: zipfile.ZipFile, seals: list[Json]) -> Iterator[str]:
    """Yield the time stamps that are not for the root of their seal. Their signatures are for openssl to check."""
    roots = {seal["content"]["sequence"]: seal["root"] for seal in seals}
    for line in lines_of(archive, "time_stamps.jsonl"):
        proof = [bytes.fromhex(step) for step in line["proof"]]
        root = root_by_proof(bytes.fromhex(roots.get(line["seal"], "")), line["index"], line["count"], proof)
        if root is None or root.hex() != line["root"] or sha256(root).digest() not in b64decode(line["token"]):
            yield f"time stamp of seal {line['seal']}: it is not for the root of this seal"


def root_by_proof(root: bytes, index: int, count: int, proof: list[bytes]) -> bytes | None:
    """Return the root over `count` leaves that the proof leads to from this one; None if it cannot be one."""
    if not 0 <= index < count or (count == 1) != (not proof):
        return None
    if count == 1:
        return root
    split = 1 << ((count - 1).bit_length() - 1)
    is_left = index < split
    inner = root_by_proof(root, index if is_left else index - split, split if is_left else count - split, proof[:-1])
    if inner is None:
        return None
    return sha256(NODE + inner + proof[-1] if is_left else NODE + proof[-1] + inner).digest()


def check(path: Path, roots_path: Path | None = None) -> tuple[list[str], str]:
    """Return what differs in the export, and a summary of what was checked."""
    with zipfile.ZipFile(path) as archive:
        seals = list(lines_of(archive, "seals.jsonl"))
        names = json.loads(archive.read("names.json"))
        blocks = {(line["seal"], line["block"]): line["content"] for line in lines_of(archive, "blocks.jsonl")}
        parts = {name: leaves_by_seal(archive, f"{name}.jsonl") for name in ("blocks", "revisions", "entries")}
        differences = list(check_readings(archive, blocks)) + list(check_seals(seals, parts))
        differences += check_time_stamps(archive, seals)
    if roots_path:
        differences += check_roots(seals, names["customer"]["code"], roots_path)
    readings = sum(seal["content"]["reading_count"] for seal in seals)
    entries = sum(seal["content"]["entries"]["count"] for seal in seals)
    return differences, f"{len(seals)} seals over {readings} readings and {entries} entries of the audit trail"


def main() -> int:
    """Check the export that the command line names."""
    parser = argparse.ArgumentParser(description="Checks an export of seals.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--roots", type=Path, help="a file of roots that was kept elsewhere")
    arguments = parser.parse_args()
    try:
        differences, summary = check(arguments.export, arguments.roots)
    except Exception as error:  # noqa: BLE001  whatever is damaged: 1, a traceback's exit code, says that it was read
        sys.stderr.write(f"{arguments.export} cannot be read: {error!r}\n")
        return 2
    for difference in differences:
        sys.stdout.write(f"DIFFERS: {difference}\n")
    sys.stdout.write(f"{summary}: {f'{len(differences)} differences' if differences else 'all as sealed'}.\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
