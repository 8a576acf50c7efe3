"""Hash chains and Merkle trees: known roots, proofs, and that no single change of the leaves goes unnoticed."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from core.crypto.merkle import (
    CHAIN_START,
    EMPTY_ROOT,
    MerkleTree,
    canonical_json,
    leaf_hash,
    link_hash,
    merkle_root,
    node_hash,
)

CONTENTS = st.lists(st.binary(max_size=8), min_size=1, max_size=40)

# The test vectors of the Certificate Transparency project for RFC 6962.
VECTOR_LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def hashes(contents: list[bytes]) -> list[bytes]:
    return [leaf_hash(content) for content in contents]


def test_roots_are_those_of_rfc_6962() -> None:
    for count, root in VECTOR_ROOTS.items():
        assert merkle_root(hashes(VECTOR_LEAVES[:count])).hex() == root


def test_the_root_of_no_leaves_is_the_hash_of_nothing() -> None:
    assert merkle_root([]) == EMPTY_ROOT == sha256(b"").digest()


def test_a_leaf_a_node_and_a_link_of_the_same_bytes_have_different_hashes() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")

    assert len({leaf_hash(left + right), node_hash(left, right), link_hash(left, right)}) == 3


@given(CONTENTS, st.data())
def test_an_edited_leaf_changes_the_root(contents: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(contents) - 1))
    other = data.draw(st.binary(max_size=8).filter(lambda content: content != contents[index]))

    assert merkle_root(hashes([*contents[:index], other, *contents[index + 1 :]])) != merkle_root(hashes(contents))


@given(CONTENTS, st.data())
def test_an_inserted_or_deleted_leaf_changes_the_root(contents: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(contents) - 1))
    root = merkle_root(hashes(contents))

    assert merkle_root(hashes([*contents[:index], data.draw(st.binary(max_size=8)), *contents[index:]])) != root
    assert merkle_root(hashes([*contents[:index], *contents[index + 1 :]])) != root


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=40, unique=True), st.data())
def test_reordered_leaves_change_the_root(contents: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(contents) - 2))
    second = data.draw(st.integers(first + 1, len(contents) - 1))
    reordered = list(contents)
    reordered[first], reordered[second] = contents[second], contents[first]

    assert merkle_root(hashes(reordered)) != merkle_root(hashes(contents))


def test_a_tree_of_many_leaves_keeps_a_few_hashes() -> None:
    tree = MerkleTree()
    for number in range(100_000):
        tree.add(number.to_bytes(32, "big"))

    assert tree.count == 100_000
    assert len(tree._subtrees) == (100_000).bit_count()


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": None, "a": ["é", 1, True]}) == canonical_json({"a": ["é", 1, True], "b": None})
    assert canonical_json({"b": None, "a": ["é", 1, True]}) == '{"a":["é",1,true],"b":null}'.encode()


def test_a_chain_depends_on_everything_before() -> None:
    first, second = link_hash(CHAIN_START, b"first"), link_hash(CHAIN_START, b"other")

    assert link_hash(first, b"second") != link_hash(second, b"second")
