"""Static files under names with a content hash, so that browsers may cache them indefinitely."""

from __future__ import annotations

from typing_extensions import override
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # WhiteNoise has no types
    """WhiteNoise's storage with the URL of each file computed once per process: a page has a dozen."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._urls: dict[str, str] = {}

    @override
    def url(self, name: str, force: bool = False) -> str:
        if force:
            return str(super().url(name, force))
        if name not in self._urls:
            self._urls[name] = super().url(name)
        return self._urls[name]
