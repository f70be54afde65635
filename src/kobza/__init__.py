"""Kobza: a self-hosted Virtual Mobile PBX."""
