"""The file of a person's rules, ``$XDG_CONFIG_HOME/patchbay/rules.toml``, with the tests that each rule carries.

    [[rule]]
    deny = "bash:git push"
    match = ["git push origin main", "git -C lib push"]
    not_match = ["git pull"]

A rule says one of ``allow``, ``ask`` and ``deny``. ``match`` are calls that it must speak of, ``not_match`` calls that
it must not: commands for ``bash``, paths for every other tool. ``patchbay policy test`` runs them.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import tomli

from ..tools.failures import ToolFailure
from ..tools.policy import Action, Policy, Request, Ruling
from ..tools.rules import Effect, Rule
from ..tools.workspace import Workspace
from .config_file import SettingsError
from .kept_rules import KeptRules

if TYPE_CHECKING:
    from .settings import Settings

_HEADER = re.compile(r"^\s*\[\[\s*rule\s*\]\]")
_KEYS = frozenset({"allow", "ask", "deny", "match", "not_match"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TestedRule:
    """One rule of the file and the calls that show what it speaks of."""

    rule: Rule
    match: tuple[str, ...] = ()
    not_match: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFailure:
    """A self-test that did not hold, in words."""

    rule: Rule
    call: str
    problem: str


def rules_path(config_file: Path) -> Path:
    """The rules stand beside the settings."""
    return config_file.with_name("rules.toml")


def read_rules(path: Path) -> tuple[TestedRule, ...]:
    """The rules in the order of the file; none when there is no file. Raises SettingsError with place and fix."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}. Make it a readable UTF-8 file, or remove it.") from None
    try:
        content = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}. Rules are written as [[rule]] tables.") from None
    unknown = sorted(set(content) - {"rule"})
    given: object = content.get("rule", [])
    tables = cast("list[object]", given) if isinstance(given, list) else None
    if unknown or tables is None:
        raise SettingsError(f"{path}: {unknown[0] if unknown else 'rule'!r} is not known here. Write [[rule]] tables.")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _HEADER.match(line)]
    return tuple(
        _rule(table, f"{path.name}:{line}") for table, line in zip(tables, [*lines, *[0] * len(tables)], strict=False)
    )


def failures(rules: tuple[TestedRule, ...]) -> list[RuleFailure]:
    """Every self-test that does not hold. Each rule is tested alone; what it leaves open, asks."""
    workspace = Workspace(Path(os.sep) / "workspace", home=Path(os.sep) / "home")
    found: list[RuleFailure] = []
    for tested in rules:
        for call in tested.match:
            if not _speaks(tested.rule, call, workspace):
                found.append(RuleFailure(rule=tested.rule, call=call, problem="should match and does not"))
        for call in tested.not_match:
            if _speaks(tested.rule, call, workspace):
                found.append(RuleFailure(rule=tested.rule, call=call, problem="should not match and does"))
    return found


def gathered_rules(settings: "Settings", kept: KeptRules, allow: tuple[str, ...] = ()) -> tuple[Rule, ...]:
    """The rules of the settings, of the rules file, of the command line and of earlier answers, in this order."""
    return (
        *_written("[policy] deny", settings.policy.deny, Effect.DENY),
        *_written("[policy] allow", settings.policy.allow),
        *(tested.rule for tested in read_rules(rules_path(settings.config_file))),
        *_written("--allow", allow),
        *_written('an earlier "always"', kept.read()),
    )


def _written(origin: str, texts: Iterable[str], effect: Effect = Effect.ALLOW) -> list[Rule]:
    """Rules from one place. Raises ``SettingsError`` for one that is none."""
    try:
        return [Rule.parse(text, origin=origin, effect=effect) for text in texts]
    except ValueError as error:
        raise SettingsError(f"{origin}: {error}") from None


def _speaks(rule: Rule, call: str, workspace: Workspace) -> bool:
    """Whether the rule, and nothing else, decides this call."""
    if rule.tool == "bash":
        request = Request(tool=rule.tool, action=Action.RUN, command=call)
    else:
        try:
            place = workspace.resolve(call)
        except ToolFailure:
            return False
        request = Request(tool=rule.tool, action=Action.WRITE, places=(place,))
    verdict = Policy([rule]).judge(request)
    wanted = {Effect.ALLOW: Ruling.ALLOW, Effect.ASK: Ruling.ASK, Effect.DENY: Ruling.BLOCK}[rule.effect]
    return verdict.decision is wanted and verdict.rule.endswith(str(rule))


def _rule(table: object, origin: str) -> TestedRule:
    values = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    effects = [effect for effect in Effect if effect.value in values]
    unknown = sorted(set(values) - _KEYS)
    if unknown:
        raise SettingsError(
            f"{origin}: {unknown[0]!r} is not known. A rule has allow, ask or deny, match and not_match."
        )
    if len(effects) != 1 or not isinstance(values[effects[0].value], str):
        raise SettingsError(f'{origin}: say one of allow, ask and deny, like deny = "bash:git push".')
    try:
        rule = Rule.parse(values[effects[0].value], origin=origin, effect=effects[0])
    except ValueError as error:
        raise SettingsError(f"{origin}: {error}") from None
    return TestedRule(rule=rule, match=_texts(values, "match", origin), not_match=_texts(values, "not_match", origin))


def _texts(values: dict[str, Any], key: str, origin: str) -> tuple[str, ...]:
    given: object = values.get(key, [])
    texts = cast("list[object]", given) if isinstance(given, list) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise SettingsError(f"{origin}: {key} is a list of texts.")
    return tuple(text for text in texts if isinstance(text, str))
