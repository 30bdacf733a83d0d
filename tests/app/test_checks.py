"""Which checks are found in a project's files: by reading, whatever the files hold."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.checks import configured_checks, find_checks, short_name, without_comments

PACKAGE = {"scripts": {"test": "vitest", "lint": "eslint .", "lint:fix": "eslint --fix ."}}


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


CASES = {
    "pyproject": (
        {"pyproject.toml": "[tool.pytest.ini_options]\n[tool.ruff]\nline-length=1\n[tool.mypy]\nstrict=true\n"},
        ["python3 -m pytest -q", "ruff check", "mypy ."],
    ),
    "its own environment": (
        {"pyproject.toml": "[tool.pytest]\n[tool.ruff]\n", ".venv/bin/pytest": "", ".venv/bin/ruff": ""},
        [".venv/bin/pytest -q", ".venv/bin/ruff check"],
    ),
    "uv": (
        {"pyproject.toml": '[dependency-groups]\ndev = ["pytest>=8", "x"]\n[tool.basedpyright]\n', "uv.lock": ""},
        ["uv run --no-sync pytest -q", "uv run --no-sync basedpyright"],
    ),
    "poetry": (
        {"pyproject.toml": '[tool.poetry.group.dev.dependencies]\npytest = "^8"\n', "poetry.lock": ""},
        ["poetry run pytest -q"],
    ),
    "ini files": (
        {"setup.cfg": "[tool:pytest]\n[flake8]\n[mypy]\nfiles = src\n"},
        ["python3 -m pytest -q", "flake8", "mypy"],
    ),
    "pytest by its import": ({"tests/test_a.py": "import pytest\n"}, ["python3 -m pytest -q"]),
    "unittest at the root": ({"test_a.py": "import unittest\n"}, ["python3 -m unittest discover"]),
    "unittest in a folder": (
        {"tests/test_a.py": "import unittest\n"},
        ["python3 -m unittest discover -s tests -t tests"],
    ),
    "unittest in a package": (
        {"tests/test_a.py": "import unittest\n", "tests/__init__.py": ""},
        ["python3 -m unittest discover -s tests -t ."],
    ),
    "mypy knows its files": ({"pyproject.toml": '[tool.mypy]\nfiles = ["src"]\n'}, ["mypy"]),
    "npm": ({"package.json": json.dumps(PACKAGE)}, ["npm test", "npm run lint"]),
    "pnpm by its lock": ({"package.json": json.dumps(PACKAGE), "pnpm-lock.yaml": ""}, ["pnpm test", "pnpm run lint"]),
    "yarn as it says": (
        {"package.json": json.dumps(PACKAGE | {"packageManager": "yarn@4.1.0"}), "package-lock.json": "{}"},
        ["yarn test", "yarn run lint"],
    ),
    "bun": ({"package.json": json.dumps(PACKAGE), "bun.lock": ""}, ["bun run test", "bun run lint"]),
    "npm's placeholder": (
        {"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1", "type-check": "tsc"}}'},
        ["npm run type-check"],
    ),
    "typescript without a script": (
        {"package.json": '{"devDependencies": {"typescript": "5"}}', "tsconfig.json": "{}"},
        ["npx --no-install tsc --noEmit"],
    ),
    "deno": (
        {"deno.jsonc": '{\n  // tasks\n  "tasks": {"test": "deno test -A", "check": "deno check ."}\n}'},
        ["deno task test", "deno lint", "deno task check"],
    ),
    "cargo": (
        {"Cargo.toml": "[package]\nname='a'\n[lints.clippy]\nall='warn'\n", "rustfmt.toml": ""},
        ["cargo test", "cargo clippy --all-targets -- -D warnings", "cargo fmt --check"],
    ),
    "go": ({"go.mod": "module a\n"}, ["go test ./...", "go vet ./..."]),
    "go with golangci": ({"go.mod": "", ".golangci.yml": ""}, ["go test ./...", "golangci-lint run"]),
    "make": (
        {"Makefile": "VAR := 1\n.PHONY: test\ntest: build\n\tpytest\nlint typecheck:\n\truff\n", "ruff.toml": ""},
        ["make test", "make lint", "make typecheck"],
    ),
    "make check when there is no test": ({"Makefile": "check:\n\ttrue\n"}, ["make check"]),
    "make test, and the linter make does not know": (
        {"Makefile": "test:\n\tpytest\n", "pyproject.toml": "[tool.pytest]\n[tool.ruff]\n"},
        ["make test", "ruff check"],
    ),
    "just, without recipes that want arguments": ({"justfile": "test:\n  x\nlint arg:\n  y\n"}, ["just test"]),
    "gradle": ({"gradlew": ""}, ["./gradlew check"]),
    "maven": ({"pom.xml": ""}, ["mvn -q test"]),
    "dotnet": ({"Shop.sln": ""}, ["dotnet test"]),
    "ruby": ({".rspec": "", ".rubocop.yml": ""}, ["bundle exec rspec", "bundle exec rubocop"]),
    "nothing": ({"README.md": "make test\n"}, []),
    "broken files": ({"package.json": "{", "pyproject.toml": "[[", "Cargo.toml": "x", "deno.json": "[]"}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_found(tmp_path: Path, name: str) -> None:
    files, commands = CASES[name]
    found = find_checks(project(tmp_path, files))
    if commands is not None:
        assert [check.command for check in found] == commands
    assert all(check.origin and check.name for check in found)


@pytest.mark.parametrize("value", ["1" * 5000, "[" * 5000, "a." * 5000, "1e999999", "1979-99-99"])
def test_a_table_that_cannot_be_read_is_not_there(tmp_path: Path, value: str) -> None:
    files = {"pyproject.toml": f"x = {value}", "Cargo.toml": f"x = {value}", "go.mod": ""}
    assert "go test ./..." in [check.command for check in find_checks(project(tmp_path, files))]


def test_comments_are_taken_out_of_json_and_strings_left_alone() -> None:
    text = '{/* a\nb */ "a//b": "c/*d*/\\"//e", // f\n"g": 1 /* "h */}'
    assert json.loads(without_comments(text)) == {"a//b": 'c/*d*/"//e', "g": 1}
    assert without_comments("1 /* open") == "1 "
    assert without_comments('1 "open // string') == '1 "open // string'


def test_two_languages_are_both_checked(tmp_path: Path) -> None:
    files = {"pyproject.toml": "[tool.pytest]\n", "package.json": json.dumps(PACKAGE), "go.mod": ""}
    commands = [check.command for check in find_checks(project(tmp_path, files))]
    assert commands == ["npm test", "python3 -m pytest -q", "go test ./...", "npm run lint", "go vet ./..."]


def test_each_says_where_it_was_found(tmp_path: Path) -> None:
    found = find_checks(project(tmp_path, {"pyproject.toml": "[tool.pytest]\n", "mypy.ini": "[mypy]\n"}))
    assert [(check.name, check.origin) for check in found] == [("pytest", "pyproject.toml"), ("mypy", "mypy.ini")]


@given(st.dictionaries(st.sampled_from(["Makefile", "package.json", "pyproject.toml", "justfile"]), st.text()))
def test_no_file_puts_words_into_a_command(tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]) -> None:
    known = {command for _, commands in CASES.values() for command in commands or ()}
    found = find_checks(
        project(tmp_path_factory.mktemp("p"), {k: v.encode("utf-8", "replace").decode() for k, v in files.items()})
    )
    assert all(check.command in known for check in found)


def test_hostile_names_change_no_command(tmp_path: Path) -> None:
    files = {
        "package.json": json.dumps({"scripts": {"test": "x; rm -rf ~"}, "packageManager": "npm; rm -rf ~@1"}),
        "Makefile": "lint; rm -rf ~:\n\ttrue\n",
    }
    assert [check.command for check in find_checks(project(tmp_path, files))] == ["npm test"]


def test_pipes_and_giants_are_not_read(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pyproject.toml")
    (tmp_path / "package.json").write_text(" " * 3_000_000 + json.dumps(PACKAGE))
    assert find_checks(tmp_path) == ()
    assert find_checks(tmp_path / "nowhere") == ()


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("make test", "make test"),
        (".venv/bin/ruff check --fix .", "ruff check"),
        ("/usr/bin/python3 -m unittest -q", "unittest"),
        ("python lint.py --all", "lint.py"),
        ("python -c 'pass'", "python"),
        ("npm run test:unit", "npm run test:unit"),
        ("python", "python"),
    ],
)
def test_short_names(command: str, name: str) -> None:
    assert short_name(command) == name
    assert configured_checks([command])[0].origin == "settings"
