"""The models a person likes and used last: favourites in a JSON file, recent ones and their record in the ledger.

Everything here may read the disk: call it from a thread, but for ``favourites``. What cannot be read is not there.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, cast

from ..providers.base import ModelRef
from .engine.spent import ModelRecord, model_record, recent_models
from .paths import replace_private_file

MOST_FAVOURITES = 50


class KeptModels:
    """Favourites in ``file``, calls in ``database``; neither has to exist."""

    def __init__(self, file: Path, database: Path) -> None:
        self._file = file
        self._database = database
        self._favourites = _read(file)

    @property
    def favourites(self) -> tuple[ModelRef, ...]:
        """The models the person marked, in the order they did."""
        return self._favourites

    def toggle(self, ref: ModelRef) -> bool:
        """Mark a model, or no longer; returns whether it is marked now. Raises OSError when that cannot be kept."""
        others = tuple(each for each in _read(self._file) if each != ref)
        marked = ref not in self._favourites
        self._favourites = (*others, ref)[-MOST_FAVOURITES:] if marked else others
        kept = {"favourites": [str(each) for each in self._favourites]}
        replace_private_file(self._file, json.dumps(kept, indent=1))
        return marked

    def recents(self) -> tuple[ModelRef, ...]:
        """The models that answered last, in any session, newest first."""
        try:
            return recent_models(self._database)
        except sqlite3.Error:
            return ()

    def record(self, ref: ModelRef) -> ModelRecord | None:
        """How a model has done lately; None when nothing is known."""
        try:
            return model_record(self._database, ref)
        except sqlite3.Error:
            return None


def _read(file: Path) -> tuple[ModelRef, ...]:
    """The favourites in a file; none from one that is missing or not ours."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ()
    listed: Any = cast("dict[str, Any]", content).get("favourites") if isinstance(content, dict) else None
    refs: list[ModelRef] = []
    for text in cast("list[Any]", listed) if isinstance(listed, list) else []:
        try:
            refs.append(ModelRef.parse(str(text)))
        except ValueError:
            continue
    return tuple(dict.fromkeys(refs))[:MOST_FAVOURITES]
