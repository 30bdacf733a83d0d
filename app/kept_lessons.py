"""What model servers were heard to refuse, kept from session to session in one JSON file (see ``providers.learnt``).

Deleting the file makes Patchbay find out anew; a file that cannot be read or written costs one refused request.
"""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import cast

from ..providers.learnt import Lesson
from .paths import make_private_file

MOST_LESSONS = 500
"""The oldest go beyond this many."""


class KeptLessons:
    """The lessons in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> tuple[Lesson, ...]:
        """The lessons, oldest first; none from a file that is missing or not ours."""
        try:
            rows: object = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ()
        lessons: list[Lesson] = []
        for row in cast("list[object]", rows) if isinstance(rows, list) else ():
            with suppress(TypeError):  # of another version
                fields = cast("dict[str, object]", row) if isinstance(row, dict) else {}
                lessons.append(Lesson(**{name: str(value) for name, value in fields.items()}))
        return tuple(lessons)

    def add(self, lesson: Lesson) -> None:
        """Keep one more, if the disk lets us."""
        lessons = [*self.read(), lesson][-MOST_LESSONS:]
        with suppress(OSError):
            written = make_private_file(self._file.with_suffix(".new"))
            written.write_text(json.dumps([asdict(each) for each in lessons], indent=1), encoding="utf-8")
            written.replace(self._file)
