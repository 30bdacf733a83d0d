"""What runs by itself, what asks, what an answer changes: and what no rule ever covers."""

import shlex
from pathlib import Path

import pytest

from patchbay.tools.base import Mode
from patchbay.tools.command_patterns import offered_pattern
from patchbay.tools.events import Decision
from patchbay.tools.policy import Action, Effect, Policy, Request, Rule, Ruling, Verdict
from patchbay.tools.sensitive import Concern
from patchbay.tools.shell_gate import ShellGate
from patchbay.tools.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repo").mkdir()
    return tmp_path / "repo"


def policy(*rules: str) -> Policy:
    return Policy([Rule.parse(rule, origin="settings") for rule in rules])


def command(text: str) -> Request:
    return Request(tool="bash", action=Action.RUN, command=text)


def file(root: Path, path: str, tool: str = "edit") -> Request:
    action = Action.READ if tool in ("read", "grep", "glob", "list") else Action.WRITE
    return Request(tool=tool, action=action, places=(Workspace(root).resolve(path),))


def allowed(verdict: Verdict) -> bool:
    return verdict.decision is Ruling.ALLOW


def test_reading_inside_runs_and_the_rest_asks(root: Path) -> None:
    judge = policy().judge
    assert allowed(judge(file(root, "a.py", "read")))
    for request in (file(root, "a.py"), file(root, "a.py", "write"), file(root, "../x", "read"), command("make")):
        verdict = judge(request)
        assert not allowed(verdict)
        assert verdict.rule and verdict.why


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("bash:pytest *", "pytest"),
        ("bash:pytest *", "pytest -q tests/a.py"),
        ("bash:git status", "git  status"),
        ("bash:git commit *", 'git commit -m "a message"'),
        ("bash:*", "anything goes"),
        ("bash", "anything goes"),
        ("bash:**", "a && b > c"),
        ("bash:python3 -m pytest *", "python3 -m pytest -q"),
        ("bash:uv run *", "uv run pytest -q"),
        ("bash:find . *", "find . -name x -exec grep y {} +"),
    ],
)
def test_command_rules_cover(rule: str, line: str) -> None:
    assert allowed(policy(rule).judge(command(line)))


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("bash:pytest *", "pytests"),
        ("bash:pytest *", "/tmp/pytest"),
        ("bash:pytest *", "X=1 pytest"),
        ("bash:pytest *", "sudo pytest"),
        ("bash:pytest *", "-x pytest"),
        ("bash:git commit", "git commit -m x"),
        ("bash:git *", "gitk"),
        ("bash:rm '*'", "rm -rf x"),
        ("edit:*", "pytest"),
        ("bash:*", "eval ls"),
        ("bash:*", ". ./x"),
        ("bash:*", ""),
        ("bash:*", "'"),
    ],
)
def test_command_rules_do_not_cover(rule: str, line: str) -> None:
    assert not allowed(policy(rule).judge(command(line)))


@pytest.mark.parametrize(
    "line",
    [
        "pytest; rm x",
        "pytest & rm x",
        "pytest | rm x",
        "pytest || rm x",
        "pytest\nrm x",
        "pytest\rrm x",
        "pytest > x",
        "pytest < ../x",
        "pytest $X",
        'pytest "$X"',
        "pytest `rm x`",
        'pytest "$(rm x)"',
        "pytest <(rm x)",
        "(pytest) > x",
        "pytest;; ls",
        "pytest \x1b",
        "pytest \u2028",
        "X=1 pytest",
        "f() { rm x; }; pytest",
        "pytest 'open",
        "{pytest,x}",
        "if pytest; then rm x; fi",
        "! rm x",
        "xargs pytest < x",
        "sudo pytest",
    ],
)
def test_no_rule_covers_what_stands_beside_its_command(line: str) -> None:
    verdict = policy("bash:pytest *").judge(command(line))
    assert not allowed(verdict)
    assert verdict.decision is not Ruling.BLOCK


@pytest.mark.parametrize(
    "line",
    [
        "pytest && pytest -q",
        "pytest; git status",
        "pytest | tail -5",
        "pytest 2>&1 | head",
        "timeout 60 pytest -x",
        "bash -c 'pytest -q'",
        "if pytest; then echo good; fi",
        "cd src && pytest",
        "pytest 2>/dev/null",
    ],
)
def test_a_line_runs_when_each_of_its_commands_may(line: str, root: Path) -> None:
    rules = policy("bash:pytest *")
    rules.gate = ShellGate(Workspace(root))
    assert allowed(rules.judge(command(line)))


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("cd x", None),
        ("env x", None),
        ("pytest -q tests", "pytest *"),
        ("git commit -m 'x y'", "git commit *"),
        ("npm run lint --fix", "npm run lint *"),
        ("python3 -m pytest -x", "python3 -m pytest *"),
        ("git push --force", "git push --force"),
        ("rm -rf build", "rm -rf build"),
        ("python3 x.py", "python3 x.py"),
        ("cat .env", "cat .env"),
        ("rm *.pyc", None),
        ("ls ~", "ls *"),
        ("echo " + "x" * 300, None),
    ],
)
def test_offered_pattern(line: str, pattern: str | None) -> None:
    assert offered_pattern(tuple(shlex.split(line))) == pattern


def test_offered_pattern_covers_its_own_command_and_no_star_becomes_a_wildcard() -> None:
    offered = offered_pattern(("run", "a b", "--x=1"))
    assert allowed(policy(f"bash:{offered}").judge(command("run 'a b' --x=1")))
    assert not allowed(policy(f"bash:{offered}").judge(command("run a b --x=1")))


@pytest.mark.parametrize(
    ("rule", "path", "covered"),
    [
        ("edit:src/**", "src/a/b.py", True),
        ("edit:src/**", "tests/a.py", False),
        ("edit:src/**", "src/../a.py", False),
        ("edit:*", "a/b.py", True),
        ("edit", "a/b.py", True),
        ("edit:*", "../a.py", False),
        ("edit:**", "../a.py", False),
        ("write:*", "a.py", False),
        ("edit:*.py", "a/b.py", False),
        ("edit:*", ".git/hooks/pre-commit", False),
        ("edit:.git/**", ".git/hooks/pre-commit", False),
        ("edit:.envrc", ".envrc", True),
        ("edit:*", ".env", False),
        ("edit:.env", ".env", True),
    ],
)
def test_path_rules(root: Path, rule: str, path: str, covered: bool) -> None:
    assert allowed(policy(rule).judge(file(root, path))) is covered


def test_path_rules_judge_where_a_link_leads(root: Path) -> None:
    (root / "src").mkdir()
    (root / "src/link").symlink_to("../../outside")
    assert not allowed(policy("edit:src/**").judge(file(root, "src/link")))
    outside = root.parent / "outside"
    assert allowed(policy(f"edit:{outside}").judge(file(root, "src/link")))
    assert allowed(policy(f"edit:{root.parent}/out*").judge(file(root, "src/link")))


def test_reading_a_secret_asks_without_always(root: Path) -> None:
    verdict = policy("read:*").judge(file(root, ".env", "read"))
    assert not allowed(verdict)
    assert verdict.pattern is None
    assert ".env" in verdict.why


@pytest.mark.parametrize("decision", [Decision.ONCE, Decision.DENY])
def test_answers_for_once_change_nothing(decision: Decision) -> None:
    rules = policy()
    request = command("pytest -q")
    rules.learn(request, rules.judge(request), decision)
    assert not allowed(rules.judge(request))
    assert rules.rules() == ()


def test_session_holds_for_the_pattern_but_is_not_kept() -> None:
    kept: list[str] = []
    rules = Policy(remember=kept.append)
    request = command("pytest -q")
    rules.learn(request, rules.judge(request), Decision.SESSION)
    assert allowed(rules.judge(command("pytest other")))
    assert not allowed(rules.judge(command("pytest other; rm x")))
    assert kept == []
    assert [str(rule) for rule in rules.rules()] == ["bash:pytest *"]


def test_always_is_kept() -> None:
    kept: list[str] = []
    rules = Policy(remember=kept.append)
    request = command("pytest -q")
    rules.learn(request, rules.judge(request), Decision.ALWAYS)
    assert kept == ["bash:pytest *"]
    assert rules.judge(command("pytest x")).why == "allowed by always"


def test_always_that_cannot_be_kept_holds_for_the_session() -> None:
    def full(_rule: str) -> None:
        raise OSError(28, "No space left on device")

    rules = Policy(remember=full)
    request = command("pytest -q")
    rules.learn(request, rules.judge(request), Decision.ALWAYS)
    assert allowed(rules.judge(request))


def test_session_for_a_line_without_pattern_covers_exactly_that_line() -> None:
    kept: list[str] = []
    rules = Policy(remember=kept.append)
    request = command("make > log")
    rules.learn(request, rules.judge(request), Decision.ALWAYS)
    assert not allowed(rules.judge(request)) and kept == []
    rules.learn(request, rules.judge(request), Decision.SESSION)
    assert allowed(rules.judge(request))
    assert not allowed(rules.judge(command("make x > log")))


def test_a_line_of_several_commands_offers_a_pattern_for_each() -> None:
    kept: list[str] = []
    rules = Policy(remember=kept.append)
    request = command("npm run lint && make all; echo done")
    verdict = rules.judge(request)
    assert verdict.patterns == ("bash:npm run lint *", "bash:make all")
    assert verdict.pattern == "bash:npm run lint *, bash:make all"
    rules.learn(request, verdict, Decision.ALWAYS)
    assert kept == list(verdict.patterns)
    assert allowed(rules.judge(command("make all && npm run lint --fix")))
    assert not allowed(rules.judge(command("make install")))


def denying(*rules: str) -> Policy:
    return Policy(
        [
            Rule.parse("bash:**", origin="settings"),
            *(Rule.parse(rule, origin="rules.toml:3", effect=Effect.DENY) for rule in rules),
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        "git push origin main",
        'git pu""sh',
        "ls; git push",
        "git -C lib push",
        "git -c a.b=c push",
        "timeout 5 git push",
        "bash -c 'git push'",
        "echo $(git push)",
        "X=push; git $X",
        "/usr/bin/git push",
        "\\git push",
        "find . -exec git push ;",
        "echo x | xargs git push",
        "f() { git push; }; f",
        "{git,push}",
    ],
)
def test_a_denying_rule_holds_wherever_its_command_stands(line: str) -> None:
    verdict = denying("bash:git push").judge(command(line))
    assert verdict.decision is Ruling.BLOCK
    assert verdict.rule == "deny bash:git push"
    assert "rules.toml:3" in verdict.why


@pytest.mark.parametrize("line", ["git pull", "git pushx", "echo git push", "grep 'git push' x"])
def test_a_denying_rule_holds_for_its_command_only(line: str) -> None:
    assert allowed(denying("bash:git push").judge(command(line)))


def test_of_rules_that_allow_and_ask_the_last_counts_and_the_reason_says_where_it_stands() -> None:
    allow = Rule.parse("bash:npm *", origin="rules.toml:1")
    ask = Rule.parse("bash:npm publish", origin="rules.toml:5", effect=Effect.ASK)
    verdict = Policy([allow, ask]).judge(command("npm run x; npm publish --dry-run"))
    assert verdict.decision is Ruling.ASK
    assert (verdict.rule, verdict.why) == ("ask bash:npm publish", "asked for by rules.toml:5")
    assert allowed(Policy([allow, ask]).judge(command("npm test")))
    assert allowed(Policy([ask, allow]).judge(command("npm publish --dry-run")))
    assert Policy([ask]).judge(command("timeout 5 npm publish --dry-run")).decision is Ruling.ASK


def test_what_is_loud_is_asked_each_time_whatever_the_rules_say() -> None:
    kept: list[str] = []
    rules = Policy([Rule.parse("bash:**", origin="settings")], remember=kept.append)
    request = command("git push --force")
    verdict = rules.judge(request)
    assert (verdict.decision, verdict.pattern, verdict.confirm) == (Ruling.ASK_LOUD, None, "git")
    for decision in (Decision.SESSION, Decision.ALWAYS):
        rules.learn(request, verdict, decision)
        assert rules.judge(request).decision is Ruling.ASK_LOUD
    assert kept == []


@pytest.mark.parametrize(
    ("mode", "call", "ruling"),
    [
        (Mode.PLAN, "make", Ruling.BLOCK),
        (Mode.PLAN, "rm -rf /", Ruling.BLOCK),
        (Mode.PLAN, "git status", Ruling.ALLOW),
        (Mode.ASK, "make", Ruling.ASK),
        (Mode.ACCEPT_EDITS, "make", Ruling.ASK),
        (Mode.AUTO, "make > log", Ruling.ALLOW),
        (Mode.AUTO, "rm -rf ~", Ruling.ASK_LOUD),
    ],
)
def test_modes_and_commands(mode: Mode, call: str, ruling: Ruling) -> None:
    rules = policy()
    rules.mode = mode
    assert rules.judge(command(call)).decision is ruling


@pytest.mark.parametrize(
    ("mode", "path", "ruling"),
    [
        (Mode.PLAN, "a.py", Ruling.BLOCK),
        (Mode.ASK, "a.py", Ruling.ASK),
        (Mode.ACCEPT_EDITS, "a.py", Ruling.ALLOW),
        (Mode.ACCEPT_EDITS, "../a.py", Ruling.ASK),
        (Mode.ACCEPT_EDITS, ".git/config", Ruling.ASK),
        (Mode.ACCEPT_EDITS, ".env", Ruling.ASK),
        (Mode.AUTO, "a.py", Ruling.ALLOW),
        (Mode.AUTO, ".bashrc", Ruling.ASK),
    ],
)
def test_modes_and_edits(root: Path, mode: Mode, path: str, ruling: Ruling) -> None:
    rules = policy()
    rules.mode = mode
    assert rules.judge(file(root, path)).decision is ruling
    assert allowed(rules.judge(file(root, "a.py", "read")))


def test_an_answer_given_in_one_mode_says_nothing_in_a_stricter_one(root: Path) -> None:
    rules = policy()
    rules.mode = Mode.ACCEPT_EDITS
    for request in (command("make x"), command("make > log"), file(root, "../x")):
        rules.learn(request, rules.judge(request), Decision.SESSION)
        assert allowed(rules.judge(request))
        rules.mode = Mode.ASK
        assert rules.judge(request).decision is Ruling.ASK
        rules.mode = Mode.PLAN
        assert rules.judge(request).decision is Ruling.BLOCK
        rules.mode = Mode.AUTO
        assert allowed(rules.judge(request))
        rules.mode = Mode.ACCEPT_EDITS


def test_a_denied_path_is_refused_by_its_link_too(root: Path) -> None:
    (root / "private").mkdir()
    (root / "link").symlink_to("private/x")
    rules = Policy([Rule.parse("read:private/**", origin="rules.toml:1", effect=Effect.DENY)])
    for path in ("private/x", "link"):
        assert rules.judge(file(root, path, "read")).decision is Ruling.BLOCK
    assert allowed(rules.judge(file(root, "public", "read")))


def test_edit_always_covers_the_folder(root: Path) -> None:
    rules = policy()
    request = file(root, "src/app/a.py")
    assert rules.judge(request).pattern == "edit:src/app/**"
    assert rules.judge(file(root, "a.py")).pattern == "edit:a.py"
    rules.learn(request, rules.judge(request), Decision.SESSION)
    assert allowed(rules.judge(file(root, "src/app/deep/b.py")))
    assert not allowed(rules.judge(file(root, "src/b.py")))


@pytest.mark.parametrize("text", ["", ":x", "Bash:ls", "bash ls", "bash:"])
def test_a_rule_that_is_none_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="tool:pattern"):
        Rule.parse(text, origin="settings")


@pytest.mark.parametrize("tool", ["edit", "write", "apply_patch"])
def test_a_rule_about_edits_speaks_of_every_tool_that_changes_files(root: Path, tool: str) -> None:
    assert allowed(policy("edit:src/**").judge(file(root, "src/a.py", tool)))
    denying = Policy([Rule.parse("edit:docs/**", origin="settings", effect=Effect.DENY)])
    assert denying.judge(file(root, "docs/a.md", tool)).decision is Ruling.BLOCK
    assert denying.judge(file(root, "docs/a.md", "read")).decision is Ruling.ALLOW


def test_a_rule_about_one_tool_speaks_of_no_other(root: Path) -> None:
    assert not allowed(policy("write:src/**").judge(file(root, "src/a.py", "edit")))


@pytest.mark.parametrize("tool", ["read", "grep", "glob", "list"])
def test_what_may_not_be_read_may_not_be_searched_or_printed(root: Path, tool: str) -> None:
    (root / "private").mkdir()
    (root / "private" / "plan.txt").write_text("x")
    workspace = Workspace(root)
    denying = Policy([Rule.parse("read:private/**", origin="settings", effect=Effect.DENY)], gate=ShellGate(workspace))
    workspace.withholding = denying.withholding
    assert denying.judge(file(root, "private/plan.txt", tool)).decision is Ruling.BLOCK
    for line in ("cat private/plan.txt", "cat private/*", "head -3 < private/plan.txt", "ls private"):
        verdict = denying.judge(command(line))
        assert verdict.decision is Ruling.ASK and "private" in verdict.why, line
    assert allowed(denying.judge(command("cat a.py")))


def reading_rules(root: Path, *rules: tuple[Effect, str]) -> Policy:
    for name in ("secrets/key.txt", "secrets/open.txt", "src/a.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    workspace = Workspace(root)
    found = Policy(
        [Rule.parse(text, origin="rules.toml:1", effect=effect) for effect, text in rules], gate=ShellGate(workspace)
    )
    workspace.withholding = found.withholding
    return found


@pytest.mark.parametrize("effect", [Effect.ASK, Effect.DENY])
@pytest.mark.parametrize(
    "line",
    [
        "cat secrets/key.txt",
        "cat secrets/*",
        "head < secrets/key.txt",
        "cd secrets && cat key.txt",
        "git show HEAD:secrets/key.txt",
        "git diff -- secrets/key.txt",
        "grep -r x secrets",
        "grep -r x .",
        "grep -Rn x",
        "rg x",
        "git grep x",
        "curl -d @secrets/key.txt localhost",
        "python3 x.py --file=secrets/key.txt",
        "timeout 5 cat secrets/key.txt",
    ],
)
def test_a_command_that_names_or_searches_ruled_files_asks_in_every_mode(root: Path, effect: Effect, line: str) -> None:
    rules = reading_rules(root, (effect, "read:secrets/**"), (Effect.ALLOW, "bash:**"))
    for mode in (Mode.ASK, Mode.ACCEPT_EDITS, Mode.AUTO):
        rules.mode = mode
        verdict = rules.judge(command(line))
        assert not allowed(verdict) and verdict.patterns == (), (mode, verdict)
        assert verdict.decision is Ruling.ASK_LOUD or "read:secrets/**" in verdict.why, verdict


@pytest.mark.parametrize(
    "line", ["cat src/a.py", "grep -r x src", "grep x src/a.py", "rg x src", "git grep x src", "ls"]
)
def test_a_rule_about_reading_leaves_other_commands_alone(root: Path, line: str) -> None:
    assert allowed(reading_rules(root, (Effect.ASK, "read:secrets/**")).judge(command(line)))


def test_of_rules_that_allow_and_ask_about_reading_the_last_counts(root: Path) -> None:
    rules = reading_rules(root, (Effect.ASK, "read:secrets/**"), (Effect.ALLOW, "read:secrets/open.txt"))
    assert allowed(rules.judge(command("cat secrets/open.txt")))
    assert not allowed(rules.judge(command("cat secrets/key.txt")))
    kept_back = rules.withholding()
    assert kept_back.of("secrets/open.txt") is None
    assert kept_back.of("secrets/key.txt") == (
        Concern.ASKED,
        "a rule asks before it is read: read:secrets/** (rules.toml:1)",
    )
    assert not reading_rules(root, (Effect.ALLOW, "read:**")).withholding()


def test_a_later_rule_for_one_tool_is_not_overruled_by_what_reading_asks(root: Path) -> None:
    rules = reading_rules(root, (Effect.ASK, "read:secrets/*"), (Effect.ALLOW, "grep:secrets/**"))
    workspace = Workspace(root)
    workspace.withholding = rules.withholding
    search = Request(tool="grep", action=Action.READ, places=(workspace.resolve("secrets"),))
    assert allowed(rules.judge(search))
    listing = Request(tool="list", action=Action.READ, places=(workspace.resolve("secrets"),))
    assert rules.judge(listing).decision is Ruling.ASK
