"""The entity-relationship diagram of the documentation shows the models as they are."""

from __future__ import annotations

from django.conf import settings

from temperature_site.dev.model_diagram import document


def test_the_documented_diagram_is_up_to_date() -> None:
    page = settings.BASE_DIR / "docs" / "models.md"

    assert page.read_text(encoding="utf-8") == document(), "Run `manage.py model_diagram --write`."


def test_a_table_is_drawn_with_its_keys_and_relations() -> None:
    text = document()

    assert "    facility {\n        auto id PK\n" in text
    assert "    customer ||--o{ facility : customer\n" in text
