"""Compression of responses."""

from __future__ import annotations

import gzip
from typing import TypeVar

import pytest
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.middleware.gzip import GZipMiddleware
from django.test import RequestFactory

AnyResponse = TypeVar("AnyResponse", bound=HttpResponseBase)

TEXT = b"a page of tiles " * 1_000


def compress(response: AnyResponse, accepts: str = "gzip, deflate, br") -> AnyResponse:
    """Return the response after the middleware, which changes it in place."""
    request = RequestFactory().get("/", HTTP_ACCEPT_ENCODING=accepts)
    assert GZipMiddleware(lambda request: response)(request) is response
    return response


def test_pages_are_compressed_if_accepted() -> None:
    response = compress(HttpResponse(TEXT, headers={"Vary": "Cookie"}))
    assert gzip.decompress(response.content) == TEXT
    assert len(response.content) < len(TEXT) / 10
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.headers["Vary"] == "Cookie, Accept-Encoding"


def test_the_compressed_length_varies() -> None:
    assert len({len(compress(HttpResponse(TEXT)).content) for _ in range(20)}) > 1


def test_streams_are_compressed() -> None:
    response = compress(StreamingHttpResponse(iter([TEXT, TEXT])))
    assert gzip.decompress(b"".join(response)) == TEXT * 2


@pytest.mark.parametrize(
    ("response", "accepts"),
    [
        (HttpResponse(TEXT), "identity"),
        (HttpResponse(TEXT), ""),
        (HttpResponse(b"short"), "gzip"),
        (HttpResponse(TEXT, headers={"Content-Encoding": "br"}), "gzip"),
    ],
)
def test_other_responses_are_sent_unchanged(response: HttpResponse, accepts: str) -> None:
    content = response.content
    assert compress(response, accepts).content == content
