"""Pages with a large part that was compressed before and is inserted into the compressed response as it is.

A part is raw deflate that ends in a full flush, so that it may stand between any others in one gzip file.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from django.http import HttpResponse

# The quickest: at Django's level a page of a thousand tiles takes longer to pack than to make.
LEVEL = 1


class Part(NamedTuple):
    """Bytes of a page, and their compressed form."""

    plain: bytes
    deflated: bytes

    @classmethod
    def of(cls, plain: bytes) -> Part:
        """Compress a part."""
        packer = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)
        return cls(plain, packer.compress(plain) + packer.flush(zlib.Z_FULL_FLUSH))


class PartsResponse(HttpResponse):
    """A response made of parts; `content` is all of them uncompressed."""

    def __init__(self, parts: list[Part]) -> None:
        super().__init__()
        self.parts = parts
        self.writelines(part.plain for part in parts)
        self.headers["Content-Length"] = str(sum(len(part.plain) for part in parts))
