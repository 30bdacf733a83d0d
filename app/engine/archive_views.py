"""What a browser shows of a session without replaying it: its last messages, and the prompts it can be forked at.

Like ``archive``: every function takes an open connection and raises ``sqlite3.Error`` when the disk refuses.
"""

import sqlite3
from dataclasses import dataclass

from .codec import event_object
from .state import PromptEntry

_MESSAGE_CHARS = 4000
_MESSAGES = 12
_REWOUND = """
    SELECT p.seq, r.seq FROM events r JOIN events p ON p.session_id = r.session_id AND p.type = 'PromptSubmitted'
        AND json_extract(p.body, '$.prompt_id') = json_extract(r.body, '$.prompt_id')
    WHERE r.session_id = ? AND r.type = 'Rewound' AND json_extract(r.body, '$.conversation')
    ORDER BY r.seq DESC LIMIT 500
"""
"""From where to where a conversation was taken back; the newest times, as they take back most of the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A prompt or an answer, cut at some thousand characters."""

    kind: str
    """``prompt`` or ``answer``."""
    text: str


def last_messages(connection: sqlite3.Connection, session_id: str, *, limit: int = _MESSAGES) -> list[Message]:
    """The newest prompts and answers of a session, oldest of them first: those a rewind took out are not among them."""
    rewound = connection.execute(_REWOUND, (session_id,)).fetchall()
    rows = connection.execute(
        "SELECT kind, substr(body, 1, ?) FROM texts WHERE session_id = ?"  # noqa: S608
        f"{' AND seq NOT BETWEEN ? AND ?' * len(rewound)} ORDER BY seq DESC, id DESC LIMIT ?",
        (_MESSAGE_CHARS, session_id, *(place for each in rewound for place in each), limit),
    )
    return [Message(kind=str(kind), text=str(text)) for kind, text in rows][::-1]


def session_prompts(connection: sqlite3.Connection, session_id: str) -> list[PromptEntry]:
    """The prompts that are part of the conversation now, oldest first: those a rewind took out are not."""
    rows = connection.execute(
        "SELECT type, at, body FROM events WHERE session_id = ? AND type IN ('PromptSubmitted', 'Rewound')"
        " ORDER BY seq",
        (session_id,),
    )
    prompts: list[PromptEntry] = []
    for kind, at, body in rows:
        event = event_object(body)
        prompt_id = str(event.get("prompt_id", ""))
        if kind == "PromptSubmitted":
            prompts.append(PromptEntry(prompt_id=prompt_id, text=str(event.get("text", "")), at=float(at)))
        elif event.get("conversation"):
            place = next((at for at, each in enumerate(prompts) if each.prompt_id == prompt_id), len(prompts))
            del prompts[place:]
    return prompts
