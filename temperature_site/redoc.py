"""ReDoc without other hosts: its script, and the API's documentation as one file that needs no network."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

from django.contrib.staticfiles import finders
from django.template import Context, Engine

REDOC = "drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js"
REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"
ICON = "site/icon.svg"
# Not a template of the site: it would load static files.
_PAGE = Engine().from_string("""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>API · Temperature Monitoring System</title>
  <link rel="icon" href="{{ icon }}">
</head>
<body>
  <div id="api"></div>
  <script>{{ redoc }}</script>
  <script>Redoc.init({{ document }}, {}, document.getElementById("api"));</script>
</body>
</html>
""")


def offline_page(document: bytes) -> str:
    """Return the page of an OpenAPI document in JSON. Raise FileNotFoundError if a static file is missing."""
    icon = f"data:image/svg+xml;base64,{b64encode(static_file(ICON).read_bytes()).decode()}"
    context = {
        "icon": icon,
        # A closing tag within one of the script's texts must not end it.
        "redoc": redoc_script(icon).replace("</", "<\\/").replace("<!--", "<\\!--"),
        "document": json.dumps(json.loads(document), separators=(",", ":")).replace("<", "\\u003c"),
    }
    return _PAGE.render(Context(context, autoescape=False))


def redoc_script(icon: str) -> str:
    """Return ReDoc with `icon`, an address, in place of a logo from another host."""
    return static_file(REDOC).read_text(encoding="utf-8").replace(REDOC_LOGO, icon)


def static_file(name: str) -> Path:
    """Return the path of a static file. Raise FileNotFoundError if there is none."""
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(name)
    return Path(found)
