"""The entry point of the web process: `gunicorn temperature_site.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")

application = get_wsgi_application()
