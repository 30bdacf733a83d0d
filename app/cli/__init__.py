"""The command line. Everything heavy is imported by the command that needs it, so that ``--version`` is instant."""

import os
import signal
import sys
from collections.abc import Sequence

from .arguments import Command, ExitCode, parse


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ``ExitCode``)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _survive_odd_text()
    try:
        return _run(parse(arguments))
    except SystemExit as leaving:  # argparse: help, version and usage errors
        return leaving.code if isinstance(leaving.code, int) else ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


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
    match command.name:
        case "run":
            from .run import run_command

            return run_command(command.options)
        case "verify":
            from .verify import verify_command

            return verify_command(command.options)
        case "logs":
            from .logs import logs_command

            return logs_command(command.options)
        case "models":
            from .models import models_command

            return models_command(command.options)
        case "sessions":
            from .sessions import sessions_command

            return sessions_command(command.rest)
        case "cost":
            from .cost import cost_command

            return cost_command(command.options)
        case "stats":
            from .stats import stats_command

            return stats_command(command.options)
        case "tools":
            from .tools_call import tools_command

            return tools_command(command.options)
        case "policy":
            from .policy import policy_command

            return policy_command(command.options)
        case "doctor":
            from .doctor import doctor_command

            return doctor_command(command.options)
        case "trust":
            from .trust import trust_command

            return trust_command(command.options)
        case _:
            from .interactive import interactive_command

            return interactive_command(command.options)


def _survive_odd_text() -> None:
    """Text that the terminal's encoding cannot show becomes ``?`` instead of an exception in mid-answer."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
