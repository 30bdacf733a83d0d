"""A database of many made-up sessions, written straight into its tables: fast enough for a test."""

import random
import sqlite3
from pathlib import Path

from patchbay.app.engine.database import connect

VERBS = ("fix", "explain", "port", "rewrite", "test", "measure", "remove", "document")
THINGS = ("parser", "importer", "settings page", "nightly build", "cache", "ledger", "login form", "search index")
WORDS = [f"{first}{second}" for first in ("ka", "lo", "mi", "nu", "pe", "ra", "so", "tu") for second in THINGS]


def many_sessions(database: Path, count: int, *, messages: int = 20, words: int = 120) -> sqlite3.Connection:
    """So many sessions with so many messages of so many words, every tenth one in ``/src/here``. Seeded."""
    chance = random.Random(7)
    connection = connect(database)
    with connection:
        for number in range(count):
            session_id = f"session-{number:05d}"
            title = f"{chance.choice(VERBS)} the {chance.choice(THINGS)} number {number}"
            folder = "/src/here" if number % 10 == 0 else f"/src/project-{number % 37}"
            connection.execute(
                "INSERT INTO sessions (id, folder, created_at, updated_at, title, model) VALUES (?, ?, ?, ?, ?, ?)",
                (session_id, folder, 1e9 + number, 1e9 + number, title, "shop/fast-1"),
            )
            connection.executemany(
                "INSERT INTO texts (session_id, seq, kind, body) VALUES (?, ?, ?, ?)",
                [
                    (session_id, seq, "answer" if seq % 2 else "prompt", title if not seq else _body(chance, words))
                    for seq in range(messages)
                ],
            )
            connection.executemany(
                "INSERT INTO calls (request_id, session_id, turn_id, at, provider, model, cost, currency, source,"
                " duration_s) VALUES (?, ?, 't', 1, 'shop', 'fast-1', '0.01', 'USD', 'computed', 1)",
                [(f"{session_id}-{call}", session_id) for call in range(messages // 2)],
            )
    return connection


def _body(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))
