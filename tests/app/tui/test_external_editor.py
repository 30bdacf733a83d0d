import shlex
import sys

import pytest

from patchbay.app.tui.external_editor import EditorError, edit_text, editor_command


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_the_edited_text_comes_back():
    code = "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text() + ' more\\n')"
    assert edit_text("some", {"EDITOR": python(code)}) == "some more"


def test_visual_comes_before_editor_and_words_are_split():
    assert editor_command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor_command({}) == ["vi"]


def test_a_failing_or_missing_editor_is_named():
    with pytest.raises(EditorError, match="status 3"):
        edit_text("x", {"EDITOR": python("raise SystemExit(3)")})
    with pytest.raises(EditorError, match=r"no-such-editor.*\$EDITOR"):
        edit_text("x", {"EDITOR": "no-such-editor"})
