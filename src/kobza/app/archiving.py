"""The archive of the settings."""

from pathlib import Path

from kobza.archive.archive import Archive
from kobza.config.settings import Settings


def recordings_directory(settings: Settings) -> Path:
    """Return where recordings are made."""
    return settings.data / "recordings"


def archive_of(settings: Settings) -> Archive:
    """Return the archive of the settings."""
    return Archive(recordings_directory(settings))
