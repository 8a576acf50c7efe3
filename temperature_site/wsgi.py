"""The entry point of the web process: `gunicorn temperature_site.wsgi`."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from temperature_site.middleware.probe_thread import ProbeThread

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")

application = ProbeThread(get_wsgi_application(), settings.WEB_THREADS)
