"""Where programs are looked for: never in the folder a session works in."""

import os


def absolute_entries(path: str) -> str:
    """A ``PATH`` without its relative entries: ``.`` and an empty one mean the current folder, whoever owns it."""
    return os.pathsep.join(entry for entry in path.split(os.pathsep) if os.path.isabs(entry))
