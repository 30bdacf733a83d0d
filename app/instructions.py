"""Standing instructions: AGENTS.md (CLAUDE.md where there is none) of the folder and its parents, and the person's own.

Those of a folder count only when it is trusted, and are taken from the very bytes the person was asked about: no file
of the folder is opened here. They are text for the model and nothing else: no rule and no permission comes from them.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..tools.safe_text import safe_line, safe_text
from .engine.events import InstructionFile
from .folder_config import INSTRUCTIONS
from .plain_file import read_plain_file
from .trust import FolderTrust

MAX_FILE_BYTES = 32 * 1024
MAX_BYTES = 64 * 1024
"""Of all of them together; the ones nearest to the folder keep their text when not all can."""
READ_BYTES = 1_000_000
"""A larger file is not read at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instructions:
    """What was found, outermost first, and what the person should know of it."""

    files: tuple[InstructionFile, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundInstructions:
    """A file as it was found: what the model is told it is called, and its bytes."""

    path: str
    content: bytes


def gather_instructions(trust: FolderTrust | None, config_folder: Path, home: Path) -> Instructions:
    """The person's own instructions, then the folder's. Never raises."""
    found: list[FoundInstructions] = []
    problems: list[str] = []
    for one in (*_own(config_folder, home), *_of_folder(trust)):
        if isinstance(one, str):
            problems.append(one)
        else:
            found.append(one)
    return Instructions(files=bounded(found, problems), problems=tuple(problems))


def _own(config_folder: Path, home: Path) -> Iterator[FoundInstructions | str]:
    """The person's own file. It is theirs: nobody has to be asked."""
    file = config_folder / INSTRUCTIONS[0]
    shown = f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)
    try:
        yield FoundInstructions(path=shown, content=read_plain_file(file, READ_BYTES))
    except FileNotFoundError:
        return
    except OSError as error:
        yield f"{safe_line(shown)} was not read: {error.strerror or error}."


def _of_folder(trust: FolderTrust | None) -> Iterator[FoundInstructions | str]:
    """One file of each folder from the root of the repository down, as it was when the person was asked."""
    if trust is None or not trust.standing.counts:
        return
    for items in trust.config.by_place(INSTRUCTIONS):  # of each place the first that can be read
        for item in items:
            if item.content is None:
                yield f"{safe_line(item.name)} was not read: {safe_line(item.problem)}."
        read = next((item for item in items if item.content is not None), None)
        if read is not None and read.content is not None:
            yield FoundInstructions(path=read.name, content=read.content)


def bounded(found: list[FoundInstructions], problems: list[str]) -> tuple[InstructionFile, ...]:
    """As text within the bounds; the last ones keep theirs when not all can. ``problems`` learns what was cut."""
    left = MAX_BYTES
    files: list[InstructionFile] = []
    for one in reversed(found):
        text = safe_text(one.content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")).strip()
        data = text.encode("utf-8")
        room = min(MAX_FILE_BYTES, left)
        if len(data) > room:
            cut = f"[cut here: {len(data) - room:,} of {len(data):,} bytes do not fit]"
            text = f"{data[:room].decode('utf-8', 'ignore')}\n{cut}"
            told = f"the model is told its first {room:,} of {len(data):,} bytes"
            problems.append(f"{safe_line(one.path)} is long: {told}.")
        left -= min(room, len(data))
        if text:
            digest = hashlib.sha256(one.content).hexdigest()
            files.append(InstructionFile(path=safe_line(one.path), text=text, digest=digest))
    return tuple(reversed(files))


def withheld_names(trust: FolderTrust | None) -> tuple[str, ...]:
    """Names of instructions in the folder that do not count, because it is not trusted."""
    if trust is None or trust.standing.counts:
        return ()
    return tuple(item.name for items in trust.config.by_place(INSTRUCTIONS) for item in items)


def report(
    files: tuple[InstructionFile, ...], withheld: tuple[str, ...], nested: tuple[InstructionFile, ...] = ()
) -> str:
    """What the model is told in every request, and ``nested`` with the results of tools, for people."""
    lines = [f"{file.path}  {len(file.text):,} characters" for file in files]
    lines = ["Instructions, with every request:", *lines] if lines else []
    if nested:
        lines += ["With the results of tools that touched files there:"]
        lines += [f"{file.path}  {len(file.text):,} characters" for file in nested]
    if withheld:
        names = ", ".join(map(safe_line, withheld))
        lines.append(f"Not used, as this folder is not trusted: {names}. /trust changes that.")
    return (
        "\n".join(lines) or "There are no instructions: AGENTS.md in the project or in the settings folder adds some."
    )
