"""What was learnt of model servers, kept from session to session in JSON files.

What they were heard to refuse (see ``providers.learnt``) and how their models call tools, as ``patchbay doctor`` found
it (see ``providers.probed``). Deleting a file makes Patchbay find out anew; one that cannot be read or written costs a
refused request, or another visit to the doctor.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from ..providers.capability import ToolCalling
from ..providers.learnt import Lesson
from ..providers.probed import ProbedModel
from .paths import replace_private_file

MOST_LESSONS = 500
"""The oldest go beyond this many."""
PROBES_FILE = "probes.json"
"""In the state folder."""


class KeptLessons:
    """The lessons in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> tuple[Lesson, ...]:
        """The lessons, oldest first; none from a file that is missing or not ours."""
        lessons: list[Lesson] = []
        for row in _rows(self._file):
            with suppress(TypeError):  # of another version
                lessons.append(Lesson(**row))
        return tuple(lessons)

    def add(self, lesson: Lesson) -> None:
        """Keep one more, if the disk lets us."""
        _write(self._file, [asdict(each) for each in (*self.read(), lesson)])


class KeptProbes:
    """What probes found, in a file: the last of each model at an endpoint."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> tuple[ProbedModel, ...]:
        """The findings, oldest first; none from a file that is missing or not ours."""
        found: list[ProbedModel] = []
        for row in _rows(self._file):
            with suppress(TypeError, ValueError):  # of another version
                tools = ToolCalling(row.pop("tools", ""))
                found.append(ProbedModel(**row, tools=tools))
        return tuple(found)

    def add(self, found: ProbedModel) -> None:
        """Keep a finding in place of the earlier one, if the disk lets us."""
        others = [each for each in self.read() if _subject(each) != _subject(found)]
        _write(self._file, [asdict(each) for each in (*others, found)])


def _subject(found: ProbedModel) -> tuple[str, str, str]:
    return found.base_url, found.dialect, found.model


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        rows: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    listed = cast("list[object]", rows) if isinstance(rows, list) else []
    objects = [cast("dict[str, object]", row) for row in listed if isinstance(row, dict)]
    return [{name: str(value) for name, value in row.items()} for row in objects]


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with suppress(OSError):
        replace_private_file(file, json.dumps(rows[-MOST_LESSONS:], indent=1))
