"""Look at columns of texts, of a few rows without polars' expressions: planning one takes 0.1 ms or more."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

# Up to this number of rows Python is faster than polars.
FEW_ROWS = 1_000


def distinct_texts(texts: pl.Series) -> list[str]:
    """Return each value once, in any order."""
    if len(texts) <= FEW_ROWS:
        return list(set(texts.to_list()))
    return texts.unique().to_list()


def lengths_in_bytes(texts: pl.Series) -> NDArray[np.int64]:
    """Return the length of each text in UTF-8."""
    if len(texts) <= FEW_ROWS:
        return np.array([len(text.encode()) for text in texts.to_list()], np.int64)
    return texts.str.len_bytes().to_numpy().astype(np.int64)


def joined_bytes(texts: pl.Series) -> NDArray[np.uint8]:
    """Return all texts one after the other in UTF-8."""
    joined: str = "".join(texts.to_list()) if len(texts) <= FEW_ROWS else texts.str.join("").item()
    return np.frombuffer(joined.encode(), np.uint8)


def with_decimal_points(texts: pl.Series, decimal_marks: str) -> pl.Series:
    """Return texts of numbers with a point for the decimal comma; null for one with a point that is no decimal mark."""
    if "," not in decimal_marks:
        return texts
    if len(texts) <= FEW_ROWS:
        points = [None if "." in text and "." not in decimal_marks else text.replace(",", ".", 1) for text in texts]
        return pl.Series(texts.name, points, dtype=pl.String)
    if "." not in decimal_marks:
        texts = texts.set(texts.str.contains(".", literal=True), None)
    return texts.str.replace(",", ".", literal=True)
