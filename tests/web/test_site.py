"""What holds for every page: the ping, the error pages, and what a page may load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from temperature_site.middleware.csp import PathPolicyMiddleware

NUMBER_FORMAT = re.compile(r"\|(?:floatformat|stringformat|intcomma)[^ }|]*")
# Of counts, with a separator of thousands, and of the quality of readings.
NUMBER_FORMATS = {'|floatformat:"0g"', "|floatformat:2"}
TIME_FORMAT = re.compile(r"\|(?:date|time)(?::(?:\"[^\"]*\"|'[^']*'))?|\|time(?:since|until)")
TIME_FORMATS = {
    *('|date:"j M Y"', '|date:"j M Y, H:i"', '|date:"j M Y, H:i:s"', '|date:"H:i:s"', '|time:"H:i"'),
    # Of attributes, which browsers read.
    *("|date:'c'", "|date:'Y-m-d'", "|date:'Y-m-d\\TH:i'"),
}
BOOSTED_FORM = re.compile(r'<form[^>]*hx-boost="true".*?</form>', re.DOTALL)
TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))


def test_ping_answers_without_the_database(client: Client) -> None:
    assert client.get("/ping").json() == {"ping": "pong"}


@pytest.mark.django_db
def test_a_page_that_does_not_exist_says_what_to_do_next(client: Client) -> None:
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert "Go to the overview" in response.content.decode()


@pytest.mark.parametrize("template", ["403.html", "403_csrf.html"])
def test_the_other_error_pages_can_be_rendered(template: str) -> None:
    assert "Go to the overview" in render_to_string(template)


def test_the_server_error_page_needs_no_context() -> None:
    assert "Something went wrong" in render_to_string("500.html")


def test_a_response_may_load_only_what_the_site_serves() -> None:
    respond = PathPolicyMiddleware(lambda request: HttpResponse())
    response = respond(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    policy = response.headers["Content-Security-Policy"]
    assert set(policy.split("; ")) == {
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    }


def test_a_response_keeps_its_own_policy() -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})
    respond = PathPolicyMiddleware(lambda request: own)
    response = respond(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    assert response.headers["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_a_template_holds_no_script_style_or_address_of_another_site(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|<style|\son\w+=|https?://", text)


def test_numbers_and_times_have_one_format_on_all_pages() -> None:
    """Temperatures and durations have the filters of `formatting`."""
    text = "".join(template.read_text() for template in (settings.BASE_DIR / "templates").rglob("*.*"))
    assert set(NUMBER_FORMAT.findall(text)) <= NUMBER_FORMATS
    assert set(TIME_FORMAT.findall(text)) <= TIME_FORMATS


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_link_within_a_form_that_replaces_part_of_the_page_leads_to_a_page_of_its_own(template: Path) -> None:
    links = [link for form in BOOSTED_FORM.findall(template.read_text()) for link in re.findall(r"<a [^>]*>", form)]
    assert [link for link in links if 'hx-boost="false"' not in link] == []
