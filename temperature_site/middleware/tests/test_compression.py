"""Compression of responses."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.middleware.gzip import GZipMiddleware
from django.test import RequestFactory

TEXT = b"a page of tiles " * 1_000


def compress(response, accepts="gzip, deflate, br"):
    return GZipMiddleware(lambda request: response)(RequestFactory().get("/", HTTP_ACCEPT_ENCODING=accepts))


def test_pages_are_compressed_if_accepted():
    response = compress(HttpResponse(TEXT, headers={"Vary": "Cookie"}))
    assert gzip.decompress(response.content) == TEXT
    assert len(response.content) < len(TEXT) / 10
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.headers["Vary"] == "Cookie, Accept-Encoding"


def test_the_compressed_length_varies():
    assert len({len(compress(HttpResponse(TEXT)).content) for _ in range(20)}) > 1


def test_streams_are_compressed():
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
def test_other_responses_are_sent_unchanged(response, accepts):
    content = response.content
    assert compress(response, accepts).content == content
