"""What starting costs: the screen and the HTTP client are loaded by those who need them, and by nobody else."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.pty_screen import PtyScreen
from support.sessions import until

HEAVY = ("textual", "rich", "httpx", "httpcore", "pydantic", "pygments", "markdown_it")

OPENED_BY_A_KEY = {
    f"patchbay.app.tui.{name}"
    for name in (
        "spending",
        "widgets.context_meter",
        "widgets.dropped",
        "widgets.exchange",
        "widgets.fork_point",
        "widgets.help",
        "widgets.provider_switcher",
        "widgets.rewind",
        "widgets.session_browser",
        "widgets.session_list",
        "widgets.session_listing",
        "widgets.session_rows",
        "widgets.spending",
        "widgets.switcher_meaning",
        "widgets.switcher_rows",
    )
}
FOR_AN_EARLIER_SESSION = {
    f"patchbay.app.engine.{name}" for name in ("context_report", "kept_text", "snapshots", "state_codec")
}


def python(code_or_flags: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", *code_or_flags],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
    )


def loaded(code: str, folder: Path) -> set[str]:
    """Top-level packages in ``sys.modules`` after the code ran."""
    tail = "\nimport sys; print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    run = python(["-c", code + tail], folder)
    line = next((line for line in run.stdout.splitlines() if line.startswith("LOADED")), None)
    assert line is not None, run.stdout + run.stderr
    return set(line.split()[1:])


def test_version_imports_nothing_heavy(tmp_path: Path) -> None:
    run = python(["-X", "importtime", "-m", "patchbay", "--version"], tmp_path)
    assert (run.returncode, run.stdout[:9]) == (0, "patchbay ")
    imported = {found.partition(".")[0] for found in re.findall(r"\| +(\S+)$", run.stderr, re.MULTILINE)}
    assert "patchbay" in imported
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["doctor", "--help"], ["run"], ["wire"]])
def test_help_and_wrong_usage_import_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    assert loaded(f"from patchbay.app.cli import main; main({words!r})", tmp_path).isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["run", "models", "doctor", "interactive", "compose"])
def test_commands_without_a_screen_import_no_textual(module: str, tmp_path: Path) -> None:
    packages = loaded(f"import patchbay.app.cli.{module}", tmp_path)
    assert packages.isdisjoint({"textual", "rich"})


def test_checks_are_not_looked_for_before_they_are_needed(tmp_path: Path) -> None:
    code = "import sys, patchbay.app.cli.interactive as _\nassert 'patchbay.app.checks' not in sys.modules"
    assert "patchbay" in loaded(code, tmp_path)


def test_headless_run_imports_no_textual(tmp_path: Path) -> None:
    """The whole demo, played through the real engine and the real tools."""
    code = (
        "import os; os.environ['PATCHBAY_MAKE_RUN'] = '1'\n"
        "from patchbay.app.cli import main\n"
        "code = main([])\n"
        "assert code == 0, code"
    )
    assert loaded(code, tmp_path).isdisjoint({"textual", "rich"})


@pytest.mark.parametrize("package", ["engine", "settings", "config_file", "paths"])
def test_engine_and_settings_stand_without_textual_and_http(package: str, tmp_path: Path) -> None:
    assert loaded(f"import patchbay.app.{package}", tmp_path).isdisjoint({"textual", "rich", "httpx"})


def test_every_module_of_the_engine_stands_without_textual_and_http(repository: Path, tmp_path: Path) -> None:
    names = sorted(file.stem for file in (repository / "app/engine").glob("*.py") if file.stem != "__init__")
    code = "\n".join(f"import patchbay.app.engine.{name}" for name in names)
    assert len(names) > 5
    assert loaded(code, tmp_path).isdisjoint({"textual", "rich", "httpx"})


def test_what_adds_a_ledger_up_is_not_loaded_to_start(tmp_path: Path) -> None:
    """The screen, a session and a turn of it need none of it; whoever asks what was spent does."""
    code = (
        "import os; os.environ['PATCHBAY_MAKE_RUN'] = '1'\n"
        "import patchbay.app.cli.screen\n"
        "import patchbay.app.tui.main_screen\n"
        "from patchbay.app.cli import main\n"
        "assert main([]) == 0\n"
        "import sys; print('LOADED', *sorted(sys.modules))"
    )
    run = python(["-c", code], tmp_path)
    names = next(line for line in run.stdout.splitlines() if line.startswith("LOADED")).split()
    assert "patchbay.app.engine.ledger_reader" in names, run.stderr
    late = ("spending", "spending_report", "statistics", "ledger_rows", "cache_breaks")
    assert {f"patchbay.app.engine.{name}" for name in late} & set(names) == set()
    assert {"patchbay.app.tui.spending", "patchbay.app.tui.widgets.spending"} & set(names) == set()


async def test_the_first_frame_needs_nothing_that_a_key_opens(tmp_path: Path) -> None:
    """The real program on a terminal: what it has loaded when the prompt is painted."""
    file = tmp_path / "loaded"
    code = (
        "import pathlib, signal, sys\n"
        f"def tell(*_): pathlib.Path({str(file)!r}).write_text(' '.join(sys.modules) + ' all')\n"
        "signal.signal(signal.SIGUSR1, tell)\n"
        "from patchbay.app.cli import main; sys.exit(main([]))"
    )
    environ = {**os.environ, "TERM": "xterm-256color"}
    with PtyScreen([sys.executable, "-P", "-c", code], folder=tmp_path, environ=environ) as screen:
        screen.wait(lambda written: b"Ctrl+Q" in written)
        screen.process.send_signal(signal.SIGUSR1)
        await until(lambda: file.exists() and file.read_text().endswith(" all"))
    names = set(file.read_text().split())
    assert "patchbay.app.tui.main_screen" in names
    assert names & (OPENED_BY_A_KEY | FOR_AN_EARLIER_SESSION) == set()


def test_the_modules_that_a_key_opens_are_there(repository: Path) -> None:
    """A module that was renamed would be looked for in vain."""
    for name in OPENED_BY_A_KEY | FOR_AN_EARLIER_SESSION:
        assert (repository / f"{name.removeprefix('patchbay.').replace('.', '/')}.py").is_file(), name
