import pytest

from patchbay import __version__
from patchbay.app.cli.arguments import ExitCode, parse


def test_nothing_means_the_screen_on_this_folder() -> None:
    command = parse([])
    assert (command.name, str(command.options.path), command.options.model) == ("", ".", None)


def test_options_of_the_screen() -> None:
    options = parse(
        ["--model", "ollama/qwen3:4b", "--continue", "--demo", "--trust", "--config", "c.toml", "src"]
    ).options
    assert (options.model, options.resume, options.demo, options.trust) == ("ollama/qwen3:4b", True, True, True)
    assert (str(options.config), str(options.path)) == ("c.toml", "src")


@pytest.mark.parametrize("name", ["run", "models", "doctor"])
def test_command_wins_over_a_folder_and_a_path_is_a_folder(name: str) -> None:
    prompt = ["-p", "hi"] if name == "run" else []
    assert parse([name, *prompt]).name == name
    folder = parse([f"./{name}"])
    assert (folder.name, str(folder.options.path)) == ("", name)


def test_options_may_stand_before_the_command() -> None:
    command = parse(["--model", "a/b", "--trust", "run", "-p", "hi"])
    assert (command.name, command.options.model, command.options.trust) == ("run", "a/b", True)


def test_value_of_an_option_is_no_command() -> None:
    assert parse(["--model", "run"]).name == ""
    assert parse(["--", "run"]).name == ""


def test_run() -> None:
    words = ["run", "-p", "-", "--output", "jsonl", "--allow", "bash:ls", "--allow", "edit", "--max-steps", "3"]
    options = parse(words).options
    assert (options.prompt, options.output, options.allow, options.max_steps) == (
        "-",
        "jsonl",
        ["bash:ls", "edit:*"],
        3,
    )
    assert parse(["run", "-p", "x"]).options.allow == []


def test_wire_decode_keeps_its_words() -> None:
    command = parse(["wire", "decode", "--chunk", "1", "cases"])
    assert (command.name, command.rest) == ("wire", ("--chunk", "1", "cases"))


@pytest.mark.parametrize(
    "words",
    [
        ["run"],
        ["run", "-p", "x", "--output", "xml"],
        ["run", "-p", "x", "--max-steps", "0"],
        ["run", "-p", "x", "--max-steps", "many"],
        ["run", "-p", "x", "--allow", "bash(ls)"],
        ["--mod", "x"],
        ["wire"],
        ["wire", "encode"],
        ["a", "b"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        parse(words)
    assert leaving.value.code == ExitCode.USAGE
    assert "usage: patchbay" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        parse(["--version"])
    assert (leaving.value.code, capsys.readouterr().out) == (0, f"patchbay {__version__}\n")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_names_every_exit_code(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(words)
    shown = capsys.readouterr().out
    for code in ExitCode:
        assert f"  {code.value} " in shown
