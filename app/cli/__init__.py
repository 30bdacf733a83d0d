"""The command line. Everything heavy is imported by the command that needs it, so that ``--version`` is instant."""

import errno
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from .arguments import Command, ExitCode, parse

_MODULES = {"tools": "tools_call", "logout": "login"}
"""Modules that are not called like their command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ``ExitCode``)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _survive_odd_text()
    try:
        code = _code(arguments)
        sys.stdout.flush()  # what does not arrive is an error of this command, not one of Python's end
        return code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has left
        _forget_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _forget_output()
        sys.stderr.write(f"patchbay: {error.strerror}: what was to be written is not all there.\n")
        return ExitCode.FAILED


def _code(arguments: Sequence[str]) -> int:
    try:
        return _run(parse(arguments))
    except SystemExit as leaving:  # argparse: help, version and usage errors
        return leaving.code if isinstance(leaving.code, int) else ExitCode.USAGE


def _forget_output() -> None:
    """Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(command: Command) -> int:
    if command.name == "wire":
        return _wire(command)

    from ..settings import SettingsError

    try:
        return _start(command)
    except SettingsError as error:
        sys.stderr.write(f"patchbay: {error}\n")
        return ExitCode.USAGE


def _wire(command: Command) -> int:
    if command.options.action == "replay":
        from .replay import replay_command

        return replay_command(list(command.rest))

    from ..wire import decode_command

    return decode_command(list(command.rest))


def _start(command: Command) -> int:
    """Every other command is a function of the module of its name: ``models_command`` in ``models``."""
    if command.name == "sessions":
        from .sessions import sessions_command

        return sessions_command(command.rest)
    name = command.name or "interactive"
    module = import_module(f".{_MODULES.get(name, name)}", __package__)
    start: Callable[[Namespace], int] = getattr(module, f"{name}_command")
    return start(command.options)


def _survive_odd_text() -> None:
    """Text that the terminal's encoding cannot show becomes ``?`` instead of an exception in mid-answer."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
