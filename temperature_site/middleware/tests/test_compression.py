"""How answers are packed."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from temperature_site.middleware.compression import CompressionMiddleware

TEXT = b"a page of tiles " * 1_000


def answer(response, accepts="gzip, deflate, br"):
    return CompressionMiddleware(lambda request: response)(RequestFactory().get("/", HTTP_ACCEPT_ENCODING=accepts))


def test_a_page_is_packed_for_who_takes_it_packed():
    response = answer(HttpResponse(TEXT, headers={"Vary": "Cookie"}))
    assert gzip.decompress(response.content) == TEXT
    assert len(response.content) < len(TEXT) / 10
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Length"] == str(len(response.content))
    assert response.headers["Vary"] == "Cookie, Accept-Encoding"


def test_the_same_page_is_not_always_as_long():
    assert len({len(answer(HttpResponse(TEXT)).content) for _ in range(20)}) > 1


def test_a_stream_is_packed_as_it_goes():
    response = answer(StreamingHttpResponse(iter([TEXT, TEXT])))
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
def test_everything_else_is_sent_as_it_is(response, accepts):
    content = response.content
    assert answer(response, accepts).content == content
