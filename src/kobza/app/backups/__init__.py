"""Backups of an installation: made while it runs, verified, restored."""
