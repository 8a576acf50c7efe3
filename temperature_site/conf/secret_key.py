"""The key that signs sessions: from the environment, or from a file that is created once for trials."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SHORTEST = 32


def secret_key(given: str, data_dir: Path, *, may_create: bool) -> str:
    """Return the given key, or with `may_create` the one in the data directory, where a missing one is created.

    The key of a demo is never that of a system in production: without `may_create` it is not even read.

    An installation with its own database must provide its key: machines that share the database would otherwise each
    create one, and sessions and tokens would be valid on one machine only.
    """
    if given:
        if len(given) < SHORTEST:
            raise ImproperlyConfigured(f"SECRET_KEY must have at least {SHORTEST} characters; it has {len(given)}.")
        return given
    if not may_create:
        raise ImproperlyConfigured(
            "SECRET_KEY must be set together with DATABASE_URL or DEMO=false. Create one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    try:
        return _stored(data_dir / "secret_key")
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR must be a folder that this user may write to: {error}") from error


def _stored(path: Path) -> str:
    """Return the key in the file, creating it if needed. Two processes that start at once get the same key."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            # Atomic, and never replaces a key that is in use.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
