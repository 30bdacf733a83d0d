"""``patchbay policy``: what would be done with a command or a path, and why; the rules in force, and their tests."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from ...tools.failures import ToolFailure
from ...tools.policy import BUILT_IN, READ_RULES, Action, Policy, Request, Verdict
from ...tools.rules import Effect, Rule
from ...tools.safe_text import reveal, safe_line
from ...tools.sensitive import Concern
from ...tools.shell_gate import ShellGate
from ...tools.workspace import Place, Workspace
from ..config_file import SettingsError
from ..kept_rules import KeptRules
from ..paths import find_paths
from ..rules_file import failures, gathered_rules, read_rules, rules_path
from ..settings import Settings
from .arguments import ExitCode
from .headless import to_json
from .survey import settings_of

BATCH_WORKSPACE = Path("/repo")
BATCH_HOME = Path("/home/u")
"""Where the rows of a batch take place unless they say otherwise: folders that need not exist."""


def policy_command(options: argparse.Namespace) -> int:
    """Run one of check, path, test and show, and return the exit code. Raises SettingsError."""
    match options.action:
        case "check":
            return _check(options)
        case "path":
            return _path(options)
        case "test":
            return _test(options)
        case _:
            return _show(options)


def session_rules(settings: Settings, folder: Path, allow: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """Every rule of a person for work in a folder, in the order they are tried. Raises SettingsError."""
    kept = KeptRules(find_paths(os.environ).state_folder / "always.json", folder)
    return gathered_rules(settings, kept, allow)


def _check(options: argparse.Namespace) -> int:
    if options.batch is not None:
        for row in _rows(options.batch):
            workspace, home = Path(row.get("workspace", BATCH_WORKSPACE)), Path(row.get("home", BATCH_HOME))
            gate = ShellGate(Workspace(workspace, home=home), home=home)
            verdict = _judged(Policy(_row_rules(row), gate=gate), str(row.get("command", "")))
            _print({"id": row.get("id")} | _answer(verdict))
        return ExitCode.OK
    folder = Path.cwd()
    workspace = Workspace(folder)
    gate = ShellGate(workspace, search_path=os.environ.get("PATH", ""))
    policy = Policy(session_rules(settings_of(options), folder), gate=gate)
    workspace.withholding = policy.withholding
    _print(_answer(_judged(policy, _one(options.subject, "a command"))))
    return ExitCode.OK


def _path(options: argparse.Namespace) -> int:
    if options.batch is not None:
        for row in _rows(options.batch):
            workspace = Workspace(Path(row.get("workspace", BATCH_WORKSPACE)), home=Path(row.get("home", BATCH_HOME)))
            _print(
                {"id": row.get("id")}
                | _judged_path(workspace, (), str(row.get("path", "")), str(row.get("op", "read")))
            )
        return ExitCode.OK
    folder = Path.cwd()
    rules = session_rules(settings_of(options), folder)
    workspace = Workspace(folder)
    workspace.withholding = Policy(rules).withholding
    _print(_judged_path(workspace, rules, _one(options.subject, "a path"), options.op))
    return ExitCode.OK


def _test(options: argparse.Namespace) -> int:
    path = rules_path(settings_of(options).config_file)
    rules = read_rules(path)
    found = failures(rules)
    count = sum(len(tested.match) + len(tested.not_match) for tested in rules)
    if options.json:
        rows = [
            {"rule": str(each.rule), "origin": each.rule.origin, "call": each.call, "problem": each.problem}
            for each in found
        ]
        _print({"file": str(path), "rules": len(rules), "tests": count, "failures": rows})
    else:
        for each in found:
            sys.stdout.write(
                f"{each.rule.origin}: {safe_line(str(each.rule))}: {safe_line(reveal(each.call))} {each.problem}\n"
            )
        sys.stdout.write(f"{path}: {len(rules)} rules, {count} tests, {len(found)} failed\n")
    return ExitCode.FAILED if found else ExitCode.OK


def _show(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    policy = Policy(session_rules(settings, Path.cwd()))
    rules = [{"rule": str(rule), "decision": rule.effect.value, "origin": rule.origin} for rule in policy.rules()]
    built_in = [{"rule": name, "says": says} for name, says in BUILT_IN]
    if options.json:
        _print(
            {
                "mode": policy.mode.value,
                "file": str(rules_path(settings.config_file)),
                "rules": rules,
                "built_in": built_in,
            }
        )
        return ExitCode.OK
    sys.stdout.write(f"mode: {policy.mode.value}\nyour rules (deny beats all; of allow and ask the last counts):\n")
    sys.stdout.write(
        "".join(f"  {r['decision']:5}  {safe_line(r['rule'])}  ({r['origin']})\n" for r in rules) or "  none\n"
    )
    sys.stdout.write("always there, in this order:\n")
    sys.stdout.write("".join(f"  {each['rule']}: {each['says']}\n" for each in built_in))
    return ExitCode.OK


def _judged(policy: Policy, command: str) -> Verdict:
    return policy.judge(Request(tool="bash", action=Action.RUN, command=command))


def _answer(verdict: Verdict) -> dict[str, Any]:
    answer: dict[str, Any] = {"decision": verdict.decision.value, "rule": verdict.rule, "why": reveal(verdict.why)}
    if verdict.patterns:
        answer["always"] = list(verdict.patterns)
    return answer | ({"confirm": verdict.confirm} if verdict.confirm else {})


def _judged_path(workspace: Workspace, rules: tuple[Rule, ...], path: str, operation: str) -> dict[str, Any]:
    """What a file tool could do with a path: whether a change asks in this mode is not the path's doing."""
    try:
        place = workspace.resolve(path)
    except ToolFailure as failure:
        return {"decision": "refuse", "rule": "never opened", "why": reveal(failure.message)}
    denying = [r for r in rules if r.effect is Effect.DENY and r.covers_tool(operation) and r.covers_place(place)]
    if denying:
        return {"decision": "refuse", "rule": f"deny {denying[0]}", "why": f"is denied by {denying[0].origin}"}
    decision, rule, why = _place_answer(place, writing=operation == "write")
    return {"decision": decision, "rule": rule, "why": reveal(why), "real": reveal(str(place.real))}


def _place_answer(place: Place, *, writing: bool) -> tuple[str, str, str]:
    concern = place.write_concern if writing else place.read_concern
    if concern is not None:
        by_name = concern[0] in (Concern.PROTECTED, Concern.SECRET)
        return "ask", f"{concern[0].value} names ask" if by_name else READ_RULES, concern[1]
    if place.inside if writing else place.readable:
        return "allow", "inside", "is inside the workspace"
    return "ask", "outside asks", "is outside the workspace"


def _row_rules(row: dict[str, Any]) -> list[Rule]:
    given = cast("dict[str, list[str]]", row.get("rules") or {})
    return [
        Rule.parse(_as_rule(text), origin="the row", effect=effect)
        for effect in (Effect.ALLOW, Effect.ASK, Effect.DENY)
        for text in given.get(effect.value, [])
    ]


def _as_rule(text: str) -> str:
    """A rule, or the first words of a command."""
    if text.startswith("bash:"):
        return text
    return "bash:**" if text == "*" else f"bash:{text} *"


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a batch. Raises SettingsError for a file that cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if str(file) != "-" else sys.stdin.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--batch {file}: {error}. Name a file of JSON lines.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: object = json.loads(line)
        except ValueError as error:
            raise SettingsError(f"--batch {file}:{number}: {error}. Every line is one JSON object.") from None
        if not isinstance(row, dict):
            raise SettingsError(f"--batch {file}:{number}: is no JSON object.")
        yield cast("dict[str, Any]", row)


def _one(subject: str | None, what: str) -> str:
    if subject is None:
        raise SettingsError(f"Name {what}, or a file of them with --batch FILE.")
    return subject


def _print(answer: dict[str, Any]) -> None:
    sys.stdout.write(to_json(answer) + "\n")
