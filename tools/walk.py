"""Names of the files below a folder, without what git ignores. Names only: no file is opened here."""

import asyncio
import os
import stat
from pathlib import Path

from .process import run_process
from .project_files import PASSED_OVER
from .tool import ToolContext
from .workspace import Place

_MOST_FILES = 200_000
_GIT_TIMEOUT_S = 20
_GIT = (
    "git",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "protocol.allow=never"),
    *("ls-files", "-z"),
)
"""Settings of a repository must not make git start programs or fetch what it lacks."""
_GIT_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1"}


async def files_below(folder: Place, context: ToolContext) -> list[str]:
    """Regular files, relative to ``folder``, sorted. Symbolic links are not followed.

    In a git repository inside the workspace, git says which files count; elsewhere, and in a folder that git
    ignores as a whole, all do, except those of tools' own folders.
    """
    asks_git = folder.inside and context.may_start_programs
    listed = await _listed_by_git(folder, context) if asks_git else []
    return await asyncio.to_thread(_regular, folder.real, listed)


async def _listed_by_git(folder: Place, context: ToolContext) -> list[str]:
    output = bytearray()
    try:
        end = await run_process(
            [*_GIT, "--cached", "--others", "--exclude-standard"],
            folder=folder.real,
            environment={**context.environment, **_GIT_ENVIRONMENT},
            timeout_s=_GIT_TIMEOUT_S,
            on_output=output.extend,
            with_errors=False,
        )
    except OSError:  # no git here
        return []
    return await asyncio.to_thread(_names, bytes(output)) if end.exit_status == 0 else []


def _names(output: bytes) -> list[str]:
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def _regular(folder: Path, listed: list[str]) -> list[str]:
    if not listed:
        return sorted(_walked(folder, ""))
    found: set[str] = set()
    for name in listed[:_MOST_FILES]:
        try:
            mode = os.lstat(folder / name).st_mode
        except OSError:  # deleted, but git does not know yet
            continue
        if stat.S_ISREG(mode):
            found.add(name)
        elif stat.S_ISDIR(mode):  # a repository within the repository
            found.update(_walked(folder, name.rstrip("/")))
    return sorted(found)


def _walked(folder: Path, below: str) -> list[str]:
    found: list[str] = []
    for base, folders, names in os.walk(folder / below):
        folders[:] = [name for name in folders if name not in PASSED_OVER]
        prefix = os.path.relpath(base, folder)
        for name in names:
            path = name if prefix == "." else f"{prefix}/{name}"
            if stat.S_ISREG(_mode(os.path.join(base, name))):
                found.append(path)
        if len(found) >= _MOST_FILES:
            break
    return found[:_MOST_FILES]


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0
