"""Kobza: a self-hosted Virtual Mobile PBX."""

from kobza import builds

BUILD = builds.choose()
"""Which build this process runs."""
