"""The application: engine (no Textual), terminal UI (Textual) and command line."""
