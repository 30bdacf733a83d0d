"""The README promises what exists: providers, keys, exit codes, links."""

import re
from pathlib import Path

import pytest

from patchbay.app.cli.arguments import ExitCode
from patchbay.app.rules_file import failures, read_rules
from patchbay.app.settings import load_settings
from patchbay.app.tui.actions import ACTIONS, key_label
from patchbay.providers.presets import PRESETS

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is this."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_provider_table_is_the_list_of_presets(readme: str) -> None:
    table = {name.strip("`"): (variable, help_text) for name, variable, help_text in rows(readme, "name")}
    assert list(table) == list(PRESETS)
    for preset in PRESETS.values():
        variable, help_text = table[preset.name]
        if preset.key_variable:
            assert variable.startswith(f"`{preset.key_variable}`")
        if preset.help_url and not preset.retired:
            assert help_text == preset.help_url


def test_every_key_in_the_readme_works(readme: str) -> None:
    known = {key_label(key) for action in ACTIONS for key in action.keys}
    named = {key for cell, does in rows(readme, "key") for key in re.findall(r"`([^`]+)`", f"{cell} {does}")}
    assert named - {"$EDITOR", "patchbay --continue"} - known == set()


def test_exit_codes(readme: str) -> None:
    assert [int(code) for code, _ in rows(readme, "exit code")] == [code.value for code in ExitCode]


def test_the_settings_shown_are_read_without_a_warning(readme: str, tmp_path: Path) -> None:
    _, example = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(example)
    file.chmod(0o600)
    environ = {"HOME": str(tmp_path), "TEAM": "red", "WORK_LLM_KEY": "k", "OPENROUTER_API_KEY": "k"}
    settings = load_settings(tmp_path, environ=environ, config_file=file)
    assert settings.warnings == ()
    assert [config.problem for config in settings.provider_configs()] == ["", "", ""]
    assert set(settings.keys) <= {action.id for action in ACTIONS}


def test_the_rules_shown_hold(readme: str, tmp_path: Path) -> None:
    example, _ = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "rules.toml").write_text(example)
    rules = read_rules(tmp_path / "rules.toml")
    assert len(rules) == 2
    assert failures(rules) == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(repository: Path, page: str) -> None:
    text = (repository / page).read_text()
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in text.splitlines()}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (repository / target).exists(), target
