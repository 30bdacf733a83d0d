"""Identifiers: short, random, sortable by eye."""

import secrets


def new_id(kind: str) -> str:
    """A fresh id such as ``turn-3f9a0c1b2d4e``; collisions are out of reach within a database."""
    return f"{kind}-{secrets.token_hex(6)}"
