"""The tables of the database, as numbered migrations.

``events`` is the journal and the only truth about a session; everything else can be made from it again, except
what a person said about a session as a whole (its name, that it was removed). Rows of the journal that were compacted
lie in ``packs``, their long texts in ``pack_texts``: ``packed_rows`` reads both as one.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTable:
    """A table whose rows belong to sessions and are taken along when they go into another file."""

    name: str
    session: str = "session_id"
    """The column that names the session."""
    key: tuple[str, ...] = ("session_id",)
    """What orders its rows, and tells them apart."""
    ledger: bool = False
    """Whether its rows outlive the session: what was spent stays spent."""


SESSION_TABLES = (
    SessionTable(name="sessions", session="id", key=("id",)),
    SessionTable(name="calls", key=("request_id",), ledger=True),
    SessionTable(name="tool_runs", key=("run_id",), ledger=True),
    SessionTable(name="texts", key=("id",)),
    SessionTable(name="events", key=("session_id", "seq")),
    SessionTable(name="packs", key=("session_id", "seq")),
    SessionTable(name="pack_texts", key=("session_id", "name")),
    SessionTable(name="drafts"),
    SessionTable(name="kept_texts", key=("session_id", "name")),
)
"""In the order in which they are filled: a tool run that is known is not made again from its events.

The search index is made from ``texts`` by triggers, snapshots from ``events`` when they are wanted.
"""

MIGRATIONS = (
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, folder TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
        title TEXT, model TEXT
    ) STRICT;
    CREATE INDEX sessions_by_folder ON sessions (folder, updated_at);
    CREATE TABLE events (
        session_id TEXT NOT NULL, seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, at REAL NOT NULL,
        type TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (session_id, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE calls (
        request_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, turn_id TEXT NOT NULL, at REAL NOT NULL,
        provider TEXT NOT NULL, model TEXT NOT NULL, input_tokens INTEGER, cache_read_tokens INTEGER,
        cache_write_tokens INTEGER, output_tokens INTEGER, thinking_tokens INTEGER, price TEXT, cost TEXT,
        currency TEXT NOT NULL, source TEXT NOT NULL, duration_s REAL NOT NULL, first_token_s REAL, error_kind TEXT
    ) STRICT;
    CREATE INDEX calls_by_session ON calls (session_id, at);
    """,
    """
    ALTER TABLE sessions ADD COLUMN name TEXT;
    ALTER TABLE sessions ADD COLUMN removed_at REAL;
    ALTER TABLE sessions ADD COLUMN origin TEXT;
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY, session_id TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX texts_by_session ON texts (session_id, seq);
    CREATE VIRTUAL TABLE found USING fts5 (
        body, content='texts', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3'
    );
    CREATE TRIGGER texts_added AFTER INSERT ON texts BEGIN
        INSERT INTO found (rowid, body) VALUES (new.id, new.body);
    END;
    CREATE TRIGGER texts_removed AFTER DELETE ON texts BEGIN
        INSERT INTO found (found, rowid, body) VALUES ('delete', old.id, old.body);
    END;
    INSERT INTO texts (session_id, seq, kind, body)
        SELECT session_id, seq, 'prompt', json_extract(body, '$.text') FROM events WHERE type = 'PromptSubmitted';
    INSERT INTO texts (session_id, seq, kind, body)
        SELECT session_id, seq, 'answer', group_concat(piece, '') FROM (
            SELECT session_id, seq, json_extract(body, '$.request_id') AS request,
                json_extract(body, '$.event.text') AS piece
            FROM events
            WHERE type = 'ProviderActivity' AND json_extract(body, '$.event."$type"') = 'TextDelta'
            ORDER BY session_id, seq
        ) GROUP BY session_id, request;
    """,
    """
    ALTER TABLE calls ADD COLUMN purpose TEXT NOT NULL DEFAULT 'answer';
    ALTER TABLE calls ADD COLUMN usage_estimated INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX calls_by_time ON calls (at);
    CREATE TABLE snapshots (
        session_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, made_at REAL NOT NULL, format INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE drafts (
        session_id TEXT PRIMARY KEY, at REAL NOT NULL, text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE kept_texts (
        session_id TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (session_id, name)
    ) STRICT;
    CREATE TRIGGER session_gone AFTER DELETE ON sessions BEGIN
        DELETE FROM snapshots WHERE session_id = old.id;
        DELETE FROM kept_texts WHERE session_id = old.id;
        DELETE FROM drafts WHERE session_id = old.id;
    END;
    ALTER TABLE calls ADD COLUMN folder TEXT;
    CREATE TRIGGER sessions_purged BEFORE DELETE ON sessions BEGIN
        UPDATE calls SET folder = old.folder WHERE session_id = old.id;
    END;
    CREATE TABLE tool_runs (
        run_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, request_id TEXT NOT NULL, at REAL NOT NULL,
        name TEXT NOT NULL, outcome TEXT, chars INTEGER, duration_s REAL, asked INTEGER NOT NULL DEFAULT 0,
        decision TEXT
    ) STRICT;
    CREATE INDEX tool_runs_by_session ON tool_runs (session_id);
    CREATE TRIGGER tool_called AFTER INSERT ON events
        WHEN new.type = 'ProviderActivity' AND instr(new.body, '"$type":"ToolCallEnd"') > 0 BEGIN
        INSERT INTO tool_runs (run_id, session_id, request_id, at, name)
            SELECT request || '.' || place, new.session_id, request, new.at, name FROM (
                SELECT json_extract(new.body, '$.request_id') AS request,
                    json_extract(new.body, '$.event.index') AS place, json_extract(new.body, '$.event.name') AS name
                WHERE json_valid(new.body)
            )
            WHERE request IS NOT NULL AND place IS NOT NULL AND name IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM tool_runs WHERE run_id = request || '.' || place);
    END;
    CREATE TRIGGER tool_ran AFTER INSERT ON events
        WHEN new.type = 'ToolActivity' AND instr(new.body, '"$type":"ToolRunFinished"') > 0 BEGIN
        UPDATE tool_runs SET outcome = json_extract(new.body, '$.event.outcome'),
            chars = length(json_extract(new.body, '$.event.content')),
            duration_s = json_extract(new.body, '$.event.duration_s')
        WHERE run_id = CASE WHEN json_valid(new.body) THEN json_extract(new.body, '$.event.run_id') END
            AND session_id = new.session_id;
    END;
    CREATE TRIGGER tool_asked AFTER INSERT ON events
        WHEN new.type = 'ToolActivity' AND instr(new.body, '"$type":"Approval') > 0 BEGIN
        UPDATE tool_runs SET asked = 1, decision = coalesce(json_extract(new.body, '$.event.decision'), decision)
        WHERE run_id = CASE WHEN json_valid(new.body) THEN json_extract(new.body, '$.event.run_id') END
            AND session_id = new.session_id;
    END;
    CREATE TABLE told AS
        SELECT session_id, at, type,
            coalesce(json_extract(body, '$.event.run_id'),
                json_extract(body, '$.request_id') || '.' || json_extract(body, '$.event.index')) AS run_id,
            json_extract(body, '$.request_id') AS request_id, json_extract(body, '$.event.name') AS name,
            json_extract(body, '$.event.outcome') AS outcome, json_extract(body, '$.event.decision') AS decision,
            length(json_extract(body, '$.event.content')) AS chars,
            json_extract(body, '$.event.duration_s') AS duration_s, json_extract(body, '$.event."$type"') AS kind
        FROM events
        WHERE type IN ('ProviderActivity', 'ToolActivity') AND (instr(body, '"$type":"ToolCallEnd"') > 0
            OR instr(body, '"$type":"ToolRunFinished"') > 0 OR instr(body, '"$type":"Approval') > 0)
            AND json_valid(body)
        ORDER BY at;
    INSERT INTO tool_runs (run_id, session_id, request_id, at, name)
        SELECT run_id, session_id, request_id, min(at), name FROM told
        WHERE kind = 'ToolCallEnd' AND run_id IS NOT NULL AND name IS NOT NULL GROUP BY run_id;
    UPDATE tool_runs SET outcome = told.outcome, chars = told.chars, duration_s = told.duration_s FROM told
        WHERE told.run_id = tool_runs.run_id AND told.session_id = tool_runs.session_id
            AND told.kind = 'ToolRunFinished';
    UPDATE tool_runs SET asked = 1, decision = told.decision FROM told
        WHERE told.run_id = tool_runs.run_id AND told.session_id = tool_runs.session_id
            AND told.kind = 'ApprovalResolved';
    DROP TABLE told;
    """,
    """
    CREATE TABLE packs (
        session_id TEXT NOT NULL, seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, chars INTEGER NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY (session_id, seq)
    ) STRICT;
    CREATE TABLE pack_texts (
        session_id TEXT NOT NULL, name TEXT NOT NULL, seq INTEGER NOT NULL, part_of TEXT, start INTEGER, stop INTEGER,
        body BLOB, PRIMARY KEY (session_id, name)
    ) STRICT;
    CREATE TRIGGER packs_gone AFTER DELETE ON sessions BEGIN
        DELETE FROM packs WHERE session_id = old.id;
        DELETE FROM pack_texts WHERE session_id = old.id;
    END;
    """,
)
"""One script for each schema version; never edited once released, only appended to."""
