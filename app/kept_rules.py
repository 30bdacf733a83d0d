"""The "always" answers of a person: allow rules kept for each folder, in a file of their own (mode 0600).

They are answers, not settings: the settings file stays the person's to write, and a rule given for one project
never holds in another.
"""

import json
from pathlib import Path
from typing import cast

from .paths import replace_private_file


class KeptRules:
    """The rules kept for one folder."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._file = file
        self._folder = str(folder)

    def read(self) -> tuple[str, ...]:
        """The folder's rules, oldest first. A file that cannot be read holds none: then the person is asked again."""
        return tuple(self._all().get(self._folder, ()))

    def add(self, rule: str) -> None:
        """Keep one more rule. Raises OSError when it cannot be written."""
        rules = self._all()
        kept = rules.setdefault(self._folder, [])
        if rule in kept:
            return
        kept.append(rule)
        replace_private_file(self._file, json.dumps(rules, indent=1))

    def _all(self) -> dict[str, list[str]]:
        try:
            content: object = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        folders = cast("dict[str, object]", content) if isinstance(content, dict) else {}
        return {
            folder: [rule for rule in cast("list[object]", rules) if isinstance(rule, str)]
            for folder, rules in folders.items()
            if isinstance(rules, list)
        }
