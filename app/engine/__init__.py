"""The engine: events, bus, store, turn runner, recorder and ledger. Knows no Textual and no HTTP."""
