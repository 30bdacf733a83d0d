"""The tables of the database, as numbered migrations.

``events`` is the journal and the only truth about a session; everything else can be made from it again, except
what a person said about a session as a whole (its name, that it was removed).
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
    """,
)
"""One script for each schema version; never edited once released, only appended to."""
