"""The URLs of the source pages."""

from django.urls import path, re_path
from django.views.generic import RedirectView

from ingestion.web import imports, previews, setup, views

urlpatterns = [
    path("sources", views.sources_page, name="sources"),
    path("sources/<uuid:public_id>", views.source_page, name="source"),
    path("sources/<uuid:public_id>/history", views.source_history, name="source-history"),
    path("sources/<uuid:public_id>/test", previews.test_source_page, name="source-test"),
    path("sources/<uuid:public_id>/deliveries/<uuid:delivery_id>", previews.delivery_page, name="source-delivery"),
    path("sources/<uuid:public_id>/schedule", views.change_schedule, name="source-schedule"),
    path("sources/<uuid:public_id>/rejected-rows", views.decide_rejected_rows, name="source-rejected-rows"),
    path("sources/<uuid:public_id>/conflicts", views.decide_conflicts, name="source-conflicts"),
    path("setup", setup.start_page, name="setup"),
    path("setup/<uuid:public_id>/discard", setup.discard_setup, name="setup-discard"),
    path("setup/<uuid:public_id>/<slug:step>", setup.step_page, name="setup-step"),
    path("imports", imports.imports_page, name="imports"),
    path("imports/<uuid:public_id>", imports.import_page, name="import"),
    path("imports/<uuid:public_id>/progress", imports.import_progress, name="import-progress"),
    path("imports/<uuid:public_id>/change", imports.change_import, name="import-change"),
    path("imports/<uuid:public_id>/undo", imports.undo_import, name="import-undo"),
    # The pages' former addresses, for bookmarks and links in old messages.
    re_path(
        r"^feeds(?P<rest>(?:/.*)?)$",
        RedirectView.as_view(url="/sources%(rest)s", permanent=True, query_string=True),
        name="former-source-pages",
    ),
]
