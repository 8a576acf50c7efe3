"""Django's PostgreSQL backend, but for how it finds out that a kept connection is gone; `base` is that backend."""

ENGINE = "temperature_site.postgresql"
