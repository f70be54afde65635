"""Exports of calls, made in a process of their own: neither calls nor other requests wait for them (ADR 0010)."""
