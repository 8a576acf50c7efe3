"""Hash chains and Merkle trees with SHA-256.

Trees are those of RFC 6962, section 2.1. What is hashed starts with a byte that says what it is: a leaf, an inner node,
or a link of a chain. So no leaf can be passed off as a node, nor a node as a link.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

_LEAF, _NODE, _LINK = b"\x00", b"\x01", b"\x02"
HASH_BYTES = 32
# What precedes the first link of a chain.
CHAIN_START = bytes(HASH_BYTES)
EMPTY_ROOT = sha256(b"").digest()

CanonicalValue = str | int | bool | None | Sequence["CanonicalValue"] | Mapping[str, "CanonicalValue"]


def canonical_json(value: Mapping[str, CanonicalValue]) -> bytes:
    """Return the one way to write `value` as JSON: sorted keys, no spaces, UTF-8. It holds no fractions on purpose."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf with this content."""
    return sha256(_LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node over the hashes below it."""
    return sha256(_NODE + left + right).digest()


def link_hash(previous: bytes, data: bytes) -> bytes:
    """Return the hash of a chain's link with this content, after the link with the hash `previous`."""
    return sha256(_LINK + previous + data).digest()


class MerkleTree:
    """The root over leaves that are added one by one, in memory that grows with the logarithm of their number."""

    def __init__(self) -> None:
        self.count = 0
        # The roots of complete subtrees, the largest first: one for each bit of `count` that is set.
        self._subtrees: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        self._subtrees.append(leaf)
        self.count += 1
        size = self.count
        while size % 2 == 0:
            right = self._subtrees.pop()
            self._subtrees.append(node_hash(self._subtrees.pop(), right))
            size //= 2

    @property
    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        root = self._subtrees[-1]
        for left in reversed(self._subtrees[:-1]):
            root = node_hash(left, root)
        return root


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over these hashes of leaves."""
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from the leaf at `index` to the root, from the bottom to the top."""
    if len(leaves) == 1:
        return []
    # The size of the left subtree: the largest power of two below the number of leaves.
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*inclusion_proof(leaves[:split], index), merkle_root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), merkle_root(leaves[:split])]
