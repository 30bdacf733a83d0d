"""Which pasted images the sessions on disk still name: in prompts, and in what stands unsent.

Each function takes an open connection of ``database.connect`` and raises ``sqlite3.Error`` when the disk refuses.
"""

import sqlite3
from collections.abc import Collection

from .mentions import PASTED_NAME


def named_by(connection: sqlite3.Connection, session_ids: Collection[str]) -> set[str]:
    """The pasted images that prompts and drafts of these sessions name."""
    found: set[str] = set()
    for session_id in session_ids:
        texts = connection.execute(
            "SELECT body FROM texts WHERE session_id = ?1 AND kind = 'prompt' AND instr(body, '@pasted-') > 0"
            " UNION ALL SELECT text FROM drafts WHERE session_id = ?1",
            (session_id,),
        )
        found.update(name for (text,) in texts for name in PASTED_NAME.findall(str(text)))
    return found


def still_named(connection: sqlite3.Connection, names: Collection[str]) -> set[str]:
    """Those of the names that stand in a message or a draft of any session."""
    return {name for name in names if PASTED_NAME.fullmatch(name) and _named(connection, name)}


def sent_with(connection: sqlite3.Connection, session_id: str, prompt_id: str) -> list[tuple[str, str]]:
    """The pasted images that went along with a prompt: name and bytes in base64, as the journal has them."""
    rows = connection.execute(
        "SELECT json_extract(a.value, '$.source'), json_extract(a.value, '$.data_base64')"
        " FROM events AS e, json_each(e.body, '$.attachments') AS a"
        " WHERE e.session_id = ? AND e.type = 'PromptSubmitted' AND json_extract(e.body, '$.prompt_id') = ?",
        (session_id, prompt_id),
    )
    return [(str(name), str(data)) for name, data in rows if data and PASTED_NAME.fullmatch(str(name))]


def _named(connection: sqlite3.Connection, name: str) -> bool:
    words = name.replace("-", " ").replace(".", " ")  # as the index cuts them
    row = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM found WHERE found MATCH ?)"
        " OR EXISTS (SELECT 1 FROM drafts WHERE instr(text, ?) > 0)",
        (f'"{words}"', name),
    ).fetchone()
    return bool(row[0])
