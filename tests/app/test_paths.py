import stat
from pathlib import Path

from patchbay.app.paths import find_paths, make_private_file, make_private_folder, project_config


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_xdg_variables_decide() -> None:
    paths = find_paths({"HOME": "/home/ada", "XDG_CONFIG_HOME": "/etc/ada", "XDG_STATE_HOME": "/var/ada"})
    assert paths.config_file == Path("/etc/ada/patchbay/config.toml")
    assert paths.database == Path("/var/ada/patchbay/patchbay.db")


def test_without_xdg_variables_the_home_folder_holds_everything() -> None:
    paths = find_paths({"HOME": "/home/ada", "XDG_CONFIG_HOME": ""})
    assert paths.config_file == Path("/home/ada/.config/patchbay/config.toml")
    assert paths.state_folder == Path("/home/ada/.local/state/patchbay")


def test_relative_xdg_value_is_ignored() -> None:
    assert find_paths({"HOME": "/h", "XDG_STATE_HOME": "here"}).state_folder == Path("/h/.local/state/patchbay")


def test_project_settings_lie_in_a_folder_of_their_own() -> None:
    assert project_config(Path("/src/shop")) == Path("/src/shop/.patchbay/config.toml")


def test_private_folder_and_file_are_closed_to_others(tmp_path: Path) -> None:
    file = make_private_file(tmp_path / "state" / "patchbay" / "patchbay.db")
    assert mode(file) == 0o600
    assert mode(file.parent) == 0o700


def test_what_was_open_to_others_is_closed_and_keeps_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "patchbay"
    folder.mkdir(mode=0o755)
    file = folder / "patchbay.db"
    file.write_text("kept")
    file.chmod(0o644)
    make_private_folder(folder)
    make_private_file(file)
    assert (mode(folder), mode(file), file.read_text()) == (0o700, 0o600, "kept")
