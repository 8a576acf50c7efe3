"""The site: settings, processes and what belongs to no app. Loads Celery, so that every `shared_task` finds it."""

from temperature_site.celery import app as celery_app

__all__ = ["celery_app"]
