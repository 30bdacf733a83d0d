"""Finds the checks of a project (tests, linters, type checkers) in the files that configure them.

Files are read and nothing is run: whether a command may run is for the policy and the person. The commands are
ours; of what the files hold only the presence of a name counts, so that no file can put words into a command line.

A task runner's own targets (make, just, package.json) come before the tools behind them, kind by kind: who wrote
``make lint`` has said how linting is done here.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, cast

from .engine.verify_events import Check
from .plain_file import read_plain_file

_MAX_BYTES = 200_000
"""Of one file. A larger one configures nothing: it may be there to keep us reading."""
_TEST_FILES = 40
"""Test files that are looked into to tell pytest from unittest; of lists of requirements no more either."""
_COMMENT = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"?)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
"""A string (kept) or a comment. What is left open goes on to the end: nothing of the text is looked at twice."""
_TARGETS = re.compile(r"[A-Za-z][\w \t-]*")


class Kind(StrEnum):
    """What a check is about; one task of a task runner stands for all tools of its kind."""

    TESTS = "tests"
    LINT = "lint"
    TYPES = "types"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A check, and what it is about."""

    kind: Kind
    check: Check


class Folder:
    """The files of a project's folder, each read at most once. What cannot be read is not there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str | None] = {}

    def text(self, name: str) -> str | None:
        """A file as text; None when it is missing or no plain file of a sane size."""
        if name not in self._texts:
            try:
                self._texts[name] = read_plain_file(self.root / name, _MAX_BYTES).decode("utf-8", "replace")
            except OSError:
                self._texts[name] = None
        return self._texts[name]

    def has(self, *names: str) -> str:
        """The first of these names that is there; empty when none is."""
        return next((name for name in names if (self.root / name).exists()), "")

    def matching(self, *patterns: str) -> list[str]:
        """Names in the folder that match, relative to it, in order."""
        try:
            found = [path for pattern in patterns for path in self.root.glob(pattern)]
            return sorted(path.relative_to(self.root).as_posix() for path in found)
        except OSError:
            return []

    def toml(self, name: str) -> dict[str, Any]:
        """A TOML file; empty when it is missing or broken."""
        import tomli  # only where there is such a file

        try:
            return tomli.loads(self.text(name) or "")
        except (ValueError, RecursionError):  # a number too long for Python is a ValueError of its own
            return {}

    def json(self, name: str) -> dict[str, Any]:
        """A JSON file, comments allowed; empty when it is missing or broken."""
        text = self.text(name) or ""
        for reading in (str, without_comments):
            try:
                value = json.loads(reading(text))
            except (ValueError, RecursionError):
                continue
            return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return {}


def without_comments(text: str) -> str:
    """JSON with ``//`` and ``/* */`` comments taken out, strings left alone."""
    return _COMMENT.sub(r"\1", text)


Finder: TypeAlias = Callable[[Folder], Iterator[Found]]


@dataclass(slots=True)
class _Python:
    """How tools of a Python project are started."""

    folder: Folder
    pyproject: dict[str, Any] = field(default_factory=dict[str, Any])

    def tool(self, name: str) -> bool:
        """Whether pyproject.toml has a ``[tool.NAME]`` table."""
        return name in _table(self.pyproject, "tool")

    def section(self, name: str, *files: str) -> str:
        """The first of these ini files that has ``[name]``."""
        return next((f for f in files if re.search(rf"(?m)^\[{re.escape(name)}\]", self.folder.text(f) or "")), "")

    def interpreter(self) -> str:
        """The project's own Python where there is one."""
        return self.folder.has(".venv/bin/python", "venv/bin/python") or "python3"

    def command(self, program: str, arguments: str = "", *, module: str = "") -> str:
        """The command line: from the project's own environment where it has the program."""
        rest = f" {arguments}" if arguments else ""
        for place in (".venv", "venv"):
            if self.folder.has(f"{place}/bin/{program}"):
                return f"{place}/bin/{program}{rest}"
        for lock, runner in (
            ("uv.lock", "uv run --no-sync"),
            ("poetry.lock", "poetry run"),
            ("pdm.lock", "pdm run"),
            ("Pipfile", "pipenv run"),
        ):
            if self.folder.has(lock):
                return f"{runner} {program}{rest}"
        return f"python3 -m {module}{rest}" if module else f"{program}{rest}"

    def depends_on(self, name: str) -> bool:
        """Whether a dependency list names this package."""
        lists = json.dumps(
            [
                _table(self.pyproject, "project").get("dependencies"),
                _table(self.pyproject, "project").get("optional-dependencies"),
                self.pyproject.get("dependency-groups"),
                list(_dependency_tables(_table(_table(self.pyproject, "tool"), "poetry"))),
            ],
            default=str,
        )
        requirements = "".join(
            self.folder.text(each) or "" for each in self.folder.matching("*requirements*.txt")[:_TEST_FILES]
        )
        return bool(re.search(rf'(?m)(?:"|^){re.escape(name)}(?![\w-])', f"{lists}\n{requirements}"))


def configured_checks(commands: Sequence[str]) -> tuple[Check, ...]:
    """Checks that somebody wrote into the settings."""
    return tuple(Check(name=short_name(command), command=command, origin="settings") for command in commands)


def short_name(command: str) -> str:
    """What a command is called on screen: ``.venv/bin/ruff check --fix`` is ``ruff check``."""
    first, *rest = command.split() or [command]
    if re.fullmatch(r"(?:.*/)?python[\d.]*", first) and rest and (rest[0] == "-m" or rest[0][0] != "-"):
        first, *rest = rest[1:] if rest[0] == "-m" and rest[1:] else rest
    words = [first.rpartition("/")[2] or first]
    for word in rest:
        if len(words) == 3 or not re.fullmatch(r"[A-Za-z][\w:-]*", word):
            break
        words.append(word)
    return " ".join(words)[:30]


def find_checks(folder: Path) -> tuple[Check, ...]:
    """The checks of a project. Never raises, runs nothing, and follows no name out of the list it knows."""
    files = Folder(folder)
    tasks = [found for finder in _TASK_RUNNERS for found in finder(files)]
    settled = {found.kind for found in tasks}
    tools = [found for finder in _TOOLS for found in finder(files) if found.kind not in settled]
    order = list(Kind)
    chosen = sorted([*tasks, *tools], key=lambda found: order.index(found.kind))
    return tuple({found.check.command: found.check for found in chosen}.values())


# ---- task runners

_MAKE_NAMES = {Kind.TESTS: ("test", "tests"), Kind.LINT: ("lint",), Kind.TYPES: ("typecheck", "types", "mypy")}


def _make(files: Folder) -> Iterator[Found]:
    name = files.has("GNUmakefile", "makefile", "Makefile")
    if name:
        yield from _targets("make", name, {target for head in _heads(files.text(name)) for target in head.split()})


def _just(files: Folder) -> Iterator[Found]:
    name = files.has("justfile", "Justfile", ".justfile")
    if name:
        # A recipe that wants arguments cannot be run without them.
        yield from _targets("just", name, {head.rstrip() for head in _heads(files.text(name), quiet="@")})


def _heads(text: str | None, quiet: str = "") -> Iterator[str]:
    """What stands before the colon of each rule; ``quiet`` may stand before it. ``a := b`` sets a variable."""
    for line in (text or "").split("\n"):
        head, colon, rest = line.removeprefix(quiet).partition(":")
        if colon and rest.removeprefix(":")[:1] not in ("=", ":") and _TARGETS.fullmatch(head):
            yield head


def _targets(program: str, origin: str, there: set[str]) -> Iterator[Found]:
    """The targets of make and just. ``check`` usually runs everything: it counts when there is no target for tests."""
    found = {kind: next((name for name in names if name in there), "") for kind, names in _MAKE_NAMES.items()}
    if not found[Kind.TESTS] and "check" in there:
        found[Kind.TESTS] = "check"
    for kind, target in found.items():
        if target:
            yield _found(kind, target, f"{program} {target}", origin)


_SCRIPTS = {
    Kind.TESTS: ("test",),
    Kind.LINT: ("lint",),
    Kind.TYPES: ("typecheck", "type-check", "check-types", "check:types", "types", "tsc"),
}
_PLACEHOLDER = "no test specified"


def _package_json(files: Folder) -> Iterator[Found]:
    package = files.json("package.json")
    scripts = {name: str(line) for name, line in _table(package, "scripts").items()}
    manager = _manager(files, package)
    for kind, names in _SCRIPTS.items():
        name = next((name for name in names if name in scripts and _PLACEHOLDER not in scripts[name]), "")
        if name:
            command = f"{manager} test" if name == "test" and manager != "bun" else f"{manager} run {name}"
            yield _found(kind, name, command, "package.json")
        elif kind is Kind.TYPES and files.has("tsconfig.json") and "typescript" in _node_packages(package):
            yield _found(kind, "tsc", "npx --no-install tsc --noEmit", "tsconfig.json")


def _manager(files: Folder, package: dict[str, Any]) -> str:
    """npm, pnpm, yarn or bun: as the project says, else by its lock file."""
    said = str(package.get("packageManager", "")).partition("@")[0]
    if said in ("npm", "pnpm", "yarn", "bun"):
        return said
    locks = (("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn"), ("bun.lock", "bun"), ("bun.lockb", "bun"))
    return next((manager for lock, manager in locks if files.has(lock)), "npm")


def _node_packages(package: dict[str, Any]) -> set[str]:
    return {*_table(package, "dependencies"), *_table(package, "devDependencies")}


def _deno(files: Folder) -> Iterator[Found]:
    name = files.has("deno.json", "deno.jsonc")
    if not name:
        return
    tasks = _table(files.json(name), "tasks")
    for kind, task, otherwise in (
        (Kind.TESTS, "test", "deno test"),
        (Kind.LINT, "lint", "deno lint"),
        (Kind.TYPES, "check", ""),
    ):
        if task in tasks:
            yield _found(kind, task, f"deno task {task}", name)
        elif otherwise:
            yield _found(kind, task, otherwise, name)


# ---- the tools of a language


def _python(files: Folder) -> Iterator[Found]:
    python = _Python(files, files.toml("pyproject.toml"))
    yield from _python_tests(python)
    if origin := files.has("ruff.toml", ".ruff.toml") or (python.tool("ruff") and "pyproject.toml"):
        yield _found(Kind.LINT, "ruff", python.command("ruff", "check"), origin)
    elif origin := files.has(".flake8") or python.section("flake8", "setup.cfg", "tox.ini"):
        yield _found(Kind.LINT, "flake8", python.command("flake8"), origin)
    if origin := files.has("mypy.ini", ".mypy.ini") or python.section("mypy", "setup.cfg"):
        yield _found(
            Kind.TYPES, "mypy", python.command("mypy", "" if _names_files(files.text(origin)) else "."), origin
        )
    elif python.tool("mypy"):
        table = _table(_table(python.pyproject, "tool"), "mypy")
        whole = not {"files", "packages", "modules"}.isdisjoint(table)
        yield _found(Kind.TYPES, "mypy", python.command("mypy", "" if whole else "."), "pyproject.toml")
    for name in ("basedpyright", "pyright"):
        if python.tool(name):
            yield _found(Kind.TYPES, name, python.command(name), "pyproject.toml")
            return
    if origin := files.has("pyrightconfig.json"):
        yield _found(Kind.TYPES, "pyright", python.command("pyright"), origin)


def _names_files(ini: str | None) -> bool:
    return re.search(r"(?m)^(?:files|packages|modules)[ \t]*=", ini or "") is not None


def _python_tests(python: _Python) -> Iterator[Found]:
    files = python.folder
    origin = (
        files.has("pytest.ini", ".pytest.ini")
        or ("pytest" in _table(python.pyproject, "tool") and "pyproject.toml")
        or python.section("tool:pytest", "setup.cfg")
        or python.section("pytest", "tox.ini")
        or files.has("conftest.py", "tests/conftest.py", "test/conftest.py")
        or (python.depends_on("pytest") and (files.has("pyproject.toml") or "requirements"))
    )
    tests = _test_files(files)
    if not origin and tests:
        origin = next(
            (name for name in tests if re.search(r"(?m)^[ \t]*(?:import|from) pytest\b", files.text(name) or "")), ""
        )
    if origin:
        yield _found(Kind.TESTS, "pytest", python.command("pytest", "-q", module="pytest"), origin)
    elif tests:
        place = tests[0].partition("/")[0] if "/" in tests[0] else ""
        bare = place and not files.has(f"{place}/__init__.py")
        # Without an __init__.py the folder is no package: unittest has to begin inside it.
        where = f"discover -s {place} -t {place if bare else '.'}" if place else "discover"
        yield _found(Kind.TESTS, "unittest", f"{python.interpreter()} -m unittest {where}", tests[0])


def _test_files(files: Folder) -> list[str]:
    """Names of some test modules: in the folder itself, else in ``tests`` or ``test``."""
    for place in ("", "tests/", "test/"):
        if found := files.matching(f"{place}test*.py"):
            return found[:_TEST_FILES]
    return []


def _rust(files: Folder) -> Iterator[Found]:
    if not files.has("Cargo.toml"):
        return
    cargo = files.toml("Cargo.toml")
    yield _found(Kind.TESTS, "cargo", "cargo test", "Cargo.toml")
    lints = "clippy" in _table(cargo, "lints") or "clippy" in _table(_table(cargo, "workspace"), "lints")
    if origin := files.has("clippy.toml", ".clippy.toml") or (lints and "Cargo.toml"):
        yield _found(Kind.LINT, "clippy", "cargo clippy --all-targets -- -D warnings", origin)
    if origin := files.has("rustfmt.toml", ".rustfmt.toml"):
        yield _found(Kind.LINT, "rustfmt", "cargo fmt --check", origin)


def _go(files: Folder) -> Iterator[Found]:
    if files.has("go.mod"):
        yield _found(Kind.TESTS, "go test", "go test ./...", "go.mod")
        origin = files.has(".golangci.yml", ".golangci.yaml", ".golangci.toml", ".golangci.json")
        lint = ("golangci-lint", "golangci-lint run", origin) if origin else ("go vet", "go vet ./...", "go.mod")
        yield _found(Kind.LINT, *lint)


def _others(files: Folder) -> Iterator[Found]:
    """Ecosystems where one file names one command."""
    for names, kind, name, command in (
        (("gradlew",), Kind.TESTS, "gradle", "./gradlew check"),
        (("mvnw",), Kind.TESTS, "maven", "./mvnw -q test"),
        (("Package.swift",), Kind.TESTS, "swift", "swift test"),
        (("build.zig",), Kind.TESTS, "zig", "zig build test"),
        (("mix.exs",), Kind.TESTS, "mix", "mix test"),
        (("spec/spec_helper.rb", ".rspec"), Kind.TESTS, "rspec", "bundle exec rspec"),
        ((".rubocop.yml",), Kind.LINT, "rubocop", "bundle exec rubocop"),
        ((".credo.exs",), Kind.LINT, "credo", "mix credo"),
        (("phpunit.xml", "phpunit.xml.dist"), Kind.TESTS, "phpunit", "vendor/bin/phpunit"),
        (("phpstan.neon", "phpstan.neon.dist"), Kind.TYPES, "phpstan", "vendor/bin/phpstan analyse"),
    ):
        if origin := files.has(*names):
            yield _found(kind, name, command, origin)
    if files.has("pom.xml") and not files.has("mvnw"):
        yield _found(Kind.TESTS, "maven", "mvn -q test", "pom.xml")
    if solution := next(iter(files.matching("*.sln", "*.slnx")), ""):
        yield _found(Kind.TESTS, "dotnet", "dotnet test", solution)


_TASK_RUNNERS: Sequence[Finder] = (_make, _just)
_TOOLS: Sequence[Finder] = (_package_json, _deno, _python, _rust, _go, _others)


def _found(kind: Kind, name: str, command: str, origin: str) -> Found:
    return Found(kind=kind, check=Check(name=name, command=command, origin=origin))


def _table(value: dict[str, Any], name: str) -> dict[str, Any]:
    """A table inside a table; empty when it is missing or something else."""
    inner = value.get(name)
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}


def _dependency_tables(poetry: dict[str, Any]) -> Iterator[str]:
    yield from _table(poetry, "dependencies")
    yield from _table(poetry, "dev-dependencies")
    for group in _table(poetry, "group"):
        yield from _table(_table(_table(poetry, "group"), group), "dependencies")
