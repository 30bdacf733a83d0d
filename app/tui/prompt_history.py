"""Prompts of earlier sessions, for the up key: one JSON string a line, the person's own file (mode 0600)."""

import json
from collections.abc import Iterable
from pathlib import Path

from ..paths import make_private_file

KEPT = 500
"""Prompts kept; the file is cut back when it has twice as many."""


def read_history(file: Path) -> list[str]:
    """The newest prompts, oldest first; lines that are not ours are skipped, a missing file is empty."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    prompts: list[str] = []
    for line in lines:
        try:
            prompt: object = json.loads(line)
        except ValueError:
            continue
        if isinstance(prompt, str):
            prompts.append(prompt)
    if len(prompts) > 2 * KEPT:
        _write(file, prompts[-KEPT:], "w")
    return prompts[-KEPT:]


def add_to_history(file: Path, prompt: str) -> None:
    """Append one prompt. A disk that refuses costs the history, never the prompt."""
    _write(file, [prompt], "a")


def _write(file: Path, prompts: Iterable[str], mode: str) -> None:
    try:
        with make_private_file(file).open(mode, encoding="utf-8") as stream:
            stream.write("".join(json.dumps(prompt, ensure_ascii=True) + "\n" for prompt in prompts))
    except OSError:
        return
