"""The person's own editor for a long prompt."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path


class EditorError(Exception):
    """The editor could not be run; the message names the command and the fix."""


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """``$VISUAL``, else ``$EDITOR``, else vi; words are split as a shell would."""
    return shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "vi")


def edit_text(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Let the person edit a text and return it without the newline editors add at the end.

    The terminal must be given back by the caller first. Raises ``EditorError``; the text is never lost, since the
    caller still has it.
    """
    command = editor_command(environ)
    with tempfile.TemporaryDirectory(prefix="patchbay-prompt-") as folder:
        file = Path(folder) / "prompt.md"
        file.write_text(text, encoding="utf-8")
        try:
            # Not in the workspace: editors read settings of the folder they start in.
            done = subprocess.run([*command, str(file)], check=False, cwd=folder)  # noqa: S603 - the person's own editor, no shell
        except OSError as error:
            raise EditorError(f"{command[0]} cannot be started ({error}). Set $EDITOR to an editor you have.") from None
        if done.returncode != 0:
            raise EditorError(f"{command[0]} ended with status {done.returncode}; the prompt is unchanged.")
        return file.read_text(encoding="utf-8", errors="replace").removesuffix("\n")
