"""``patchbay trust``: says yes to a folder's configuration, lists the answers, forgets one."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ...tools.safe_text import safe_line
from ..folder_config import look_at, trust_root
from ..paths import Paths, find_paths
from ..settings import SettingsError
from ..trust import FolderTrust, TrustRecord, changes, trust_file
from .arguments import ExitCode


def trust_command(options: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Do what was asked and return the exit code. Raises SettingsError, which names the cause and the fix."""
    paths, home = find_paths(environ), home_of(environ)
    if options.list:
        return _list(paths, home)
    if options.remove is not None:
        return _remove(options.remove, paths, home)
    return _trust(options.path or Path(), paths, home)


def home_of(environ: Mapping[str, str]) -> Path:
    """The person's home folder."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))


def _trust(folder: Path, paths: Paths, home: Path) -> int:
    if not folder.is_dir():
        raise SettingsError(f"{safe_line(str(folder))} is no folder. Name the folder to trust.")
    trust = FolderTrust(look_at(folder, home), trust_file(paths.state_folder), home=home)
    root = safe_line(str(trust.config.root))
    if trust.wide:
        raise SettingsError(
            f"{root} holds everything you have and cannot be trusted as a whole. Name a project folder, or use "
            "--trust for one run."
        )
    if not trust.config.complete:
        raise SettingsError(f"{root} brings more configuration than anybody would look through. It stays untrusted.")
    try:
        trust.trust(always=True)
    except OSError as error:
        raise SettingsError(f"{paths.state_folder}: the answer cannot be kept: {error.strerror}.") from None
    lines = [f"trusted  {root}"]
    for item in trust.config.items:
        problem = f"  (never read: {safe_line(item.problem)})" if item.content is None else ""
        lines.append(f"  {safe_line(item.name)}{problem}")
    if not trust.config.items:
        lines.append("  It brings no settings or instructions now; you are asked when it does.")
    return _say(lines)


def _list(paths: Paths, home: Path) -> int:
    answers = trust_file(paths.state_folder).all()
    lines = [_row(root, record, home) for root, record in sorted(answers.items())]
    return _say(lines or ["No folder is trusted. `patchbay trust PATH` trusts one."])


def _row(root: Path, record: TrustRecord, home: Path) -> str:
    if not root.is_dir():
        state = "is gone"
    else:
        count = len(record.files)
        changed = [name for name, _ in changes(look_at(root, home), record)]
        state = f"{count} file{'' if count == 1 else 's'}"
        state += f", changed since: {', '.join(map(safe_line, changed))}" if changed else ""
    return f"{'trusted' if record.trusted else 'refused'}  {safe_line(str(root))}  {state}"


def _remove(folder: Path, paths: Paths, home: Path) -> int:
    file = trust_file(paths.state_folder)
    answers = file.all()
    root = next((each for each in (trust_root(folder, home), folder) if each in answers), None)
    if root is None:
        raise SettingsError(f"{safe_line(str(folder))} has no answer to forget. `patchbay trust --list` names those.")
    try:
        file.set(root, None)
    except OSError as error:
        raise SettingsError(f"{paths.state_folder}: the answer cannot be taken out: {error.strerror}.") from None
    return _say([f"forgotten  {safe_line(str(root))}"])


def _say(lines: list[str]) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return ExitCode.OK
