import stat

from patchbay.app.tui.prompt_history import KEPT, add_to_history, read_history


def test_prompts_come_back_oldest_first_with_their_newlines(tmp_path):
    file = tmp_path / "state" / "history.jsonl"
    for prompt in ("one", "two\nlines", "drei \u2028 ä"):
        add_to_history(file, prompt)
    assert read_history(file) == ["one", "two\nlines", "drei \u2028 ä"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_foreign_lines_are_skipped_and_a_missing_file_is_empty(tmp_path):
    file = tmp_path / "history.jsonl"
    assert read_history(file) == []
    file.write_text('"good"\nnot json\n{"a": 1}\n"also"\n')
    assert read_history(file) == ["good", "also"]


def test_the_file_is_cut_back(tmp_path):
    file = tmp_path / "history.jsonl"
    for number in range(2 * KEPT + 1):
        add_to_history(file, str(number))
    assert read_history(file)[-1] == str(2 * KEPT)
    assert len(file.read_text().splitlines()) == KEPT


def test_a_folder_that_cannot_be_written_loses_nothing_else(tmp_path):
    (tmp_path / "state").write_text("a file, not a folder")
    add_to_history(tmp_path / "state" / "history.jsonl", "x")
    assert read_history(tmp_path / "state" / "history.jsonl") == []
