"""The archive of the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from kobza.archive.archive import Archive
from kobza.archive.keys import Keys
from kobza.config.settings import Settings

if TYPE_CHECKING:
    from kobza.archive.bucket import Bucket


def recordings_directory(settings: Settings) -> Path:
    """Return where recordings are made."""
    return settings.data / "recordings"


def bucket_of(settings: Settings) -> "Bucket | None":
    """Return the bucket of the settings, which has not been asked yet; None without one."""
    secret = settings.s3_secret_key
    if settings.s3_bucket is None or settings.s3_endpoint is None or settings.s3_access_key is None or secret is None:
        return None
    from kobza.archive.bucket import Bucket, BucketPlace  # its libraries are for those who have one

    return Bucket(
        BucketPlace(
            settings.s3_endpoint,
            settings.s3_bucket,
            settings.s3_access_key,
            secret.get_secret_value(),
            settings.s3_region,
            settings.s3_prefix or "",
        )
    )


def keys_of(settings: Settings) -> Keys | None:
    """Return the keys of the settings; None: recordings are not encrypted. Raises KeysWrong."""
    return None if settings.recordings_keys is None else Keys.load(settings.recordings_keys)


def eraser_of(settings: Settings) -> Archive:
    """Return the archive of the settings for who erases alone, which needs no keys."""
    return Archive(recordings_directory(settings), bucket_of(settings))


def archive_of(settings: Settings) -> Archive:
    """Return the archive of the settings: what is in the bucket is read and erased there whatever new ones do.

    Raises KeysWrong.
    """
    uploads = settings.recordings_store == "s3"
    return Archive(recordings_directory(settings), bucket_of(settings), uploads=uploads, keys=keys_of(settings))
