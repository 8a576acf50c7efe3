"""Where the key that signs sessions comes from: the environment, or a file made once for trying out."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SHORTEST = 32


def secret_key(given: str, data_dir: Path, *, may_make: bool) -> str:
    """The given key, else the one kept in the data directory; `may_make` says whether a missing one is made there.

    An installation with a database of its own must bring its key: machines that share the database would otherwise
    each make one, and people's sessions and customers' tokens would hold on one machine only.
    """
    if given:
        if len(given) < SHORTEST:
            raise ImproperlyConfigured(f"SECRET_KEY must have at least {SHORTEST} characters; it has {len(given)}.")
        return given
    kept = data_dir / "secret_key"
    if not may_make and not kept.exists():
        raise ImproperlyConfigured(
            "SECRET_KEY must be set together with DATABASE_URL. Make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    return _kept(kept)


def _kept(path: Path) -> str:
    """The key in the file, made first when there is none. Two processes that start at once end with the same key."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            # Appears whole or not at all, and never replaces a key that is in use.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
