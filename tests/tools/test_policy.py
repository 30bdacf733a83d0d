"""What runs by itself, what asks, what an answer changes: and what no rule ever covers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.events import Decision
from patchbay.tools.policy import Action, Policy, Request, Rule, Ruling, Verdict
from patchbay.tools.shell_words import offered_pattern, plain_words
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
    for request in (file(root, "a.py"), file(root, "a.py", "write"), file(root, "../x", "read"), command("ls")):
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
        ("bash:git status", "git status -s"),
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


@pytest.mark.parametrize("sign", list(";&|<>`$(){}\\!#\n\r\0\x1b\x85\u2028"))
@pytest.mark.parametrize("line", ["pytest {} rm", 'pytest "{}" rm', "{}pytest", "pytest{}"])
def test_no_rule_covers_more_than_a_plain_command(sign: str, line: str) -> None:
    verdict = policy("bash:pytest *", "bash:*").judge(command(line.replace("{}", sign)))
    assert not allowed(verdict)
    assert verdict.pattern is None


@given(st.text(alphabet="ab ;&|<>`$(){}\\!#\n\"'=-*~", max_size=20))
def test_plain_words_are_what_a_shell_would_see(line: str) -> None:
    words = plain_words(line)
    if words is not None:
        assert not set(line) & set(";&|<>`$(){}\\!#\n")
        assert "=" not in words[0]


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
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
    words = plain_words(line)
    assert words is not None
    assert offered_pattern(words) == pattern


def test_offered_pattern_covers_its_own_command_and_no_star_becomes_a_wildcard() -> None:
    words = plain_words("run 'a b' --x=1")
    assert words is not None
    offered = offered_pattern(words)
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


def test_session_for_a_compound_line_covers_exactly_that_line() -> None:
    kept: list[str] = []
    rules = Policy(remember=kept.append)
    request = command("cd a && make")
    rules.learn(request, rules.judge(request), Decision.ALWAYS)
    assert not allowed(rules.judge(request)) and kept == []
    rules.learn(request, rules.judge(request), Decision.SESSION)
    assert allowed(rules.judge(request))
    assert not allowed(rules.judge(command("cd a && make x")))


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
