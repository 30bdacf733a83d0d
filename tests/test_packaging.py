"""What is in the wheel is what is in the tree: a forgotten package or style sheet would only fail on other machines."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

SHIPPED = ("app", "providers", "tools", "styles")
"""The folders that are part of the package. Whatever git would keep of them belongs into the wheel."""


@pytest.fixture(scope="module")
def sources(repository: Path) -> list[Path]:
    """Every file git keeps or would keep, relative to the root."""
    if not (repository / ".git").exists():
        pytest.skip("not a git work tree: what belongs into the package cannot be told")
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    )
    files = {Path(name) for name in listing.stdout.split("\0") if name}
    return sorted(file for file in files if (repository / file).is_file())


@pytest.fixture(scope="module")
def wheel(repository: Path, sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a clean copy: what an old build left behind would get into it."""
    copy = tmp_path_factory.mktemp("copy")
    for file in sources:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / file, copy / file)
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)],
        check=False,
        capture_output=True,
        text=True,
        cwd=out,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


def belongs(files: Iterable[Path]) -> set[str]:
    package = {f"patchbay/{file.as_posix()}" for file in files if file.parts[0] in SHIPPED}
    return package | {"patchbay/__init__.py", "patchbay/__main__.py"}


@pytest.mark.timeout(240)
def test_wheel_holds_exactly_the_package(wheel: Path, sources: list[Path]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    expected = belongs(sources)
    assert sorted(expected - held) == [], "missing from the wheel: add it to packages or package-data in pyproject.toml"
    assert sorted(held - expected) == []


@pytest.mark.timeout(240)
def test_installed_wheel_runs_on_its_own(wheel: Path, tmp_path: Path) -> None:
    """Unpacked somewhere else and put first on the path, it is this copy that runs, from any folder."""
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    folder = tmp_path / "work"
    for name in ("app", "tools", "providers"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise SystemExit('the wrong package was imported')\n")
    probe = (
        f"import sys; sys.path.insert(0, {str(place)!r})\n"
        "import patchbay, patchbay.app.cli\n"
        f"assert patchbay.__file__.startswith({str(place)!r}), patchbay.__file__\n"
        "patchbay.app.cli.main(['--version'])\n"
    )
    run = subprocess.run([sys.executable, "-P", "-c", probe], check=False, capture_output=True, text=True, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert re.fullmatch(r"patchbay \d+\.\d+\.\d+\n", run.stdout)


def test_every_folder_with_python_code_is_a_listed_package(repository: Path, sources: list[Path]) -> None:
    listed = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {file.parent for file in sources if file.name == "__init__.py" and file.parts[0] in SHIPPED}
    assert sorted(listed) == sorted(["patchbay", *("patchbay." + ".".join(folder.parts) for folder in folders)])


def test_no_package_under_tests(sources: list[Path]) -> None:
    """An ``__init__.py`` there would have pytest import the product a second time, under another name."""
    assert [file for file in sources if file.parts[0] == "tests" and file.name == "__init__.py"] == []


def test_lock_has_a_hash_for_everything_and_names_no_place(repository: Path) -> None:
    lock = (repository / "requirements.lock").read_text()
    pins = re.findall(r"^(\S+)==(\S+)(?: ;.*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^\S+==", lock, re.MULTILINE)) > 20
    assert not re.search(r"://|file:|--(?:index|extra|find)|^ *-e ", lock, re.MULTILINE)


def test_lock_covers_every_dependency(repository: Path) -> None:
    lock = (repository / "requirements.lock").read_text()
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    for requirement in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        name = re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]
        assert re.search(rf"^{re.escape(name.lower())}==", lock, re.MULTILINE), f"{name}: run `make lock`"
