#!/usr/bin/env python
"""Run the project's commands; `python manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line

from temperature_site.conf.environment import require_valid_settings

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "temperature_site.settings")
    require_valid_settings()
    execute_from_command_line(sys.argv)
