import stat
from pathlib import Path

import pytest

from patchbay.app.kept_rules import KeptRules


def test_rules_are_kept_for_their_folder_only(tmp_path):
    file = tmp_path / "state" / "always.json"
    KeptRules(file, Path("/a")).add("bash:pytest *")
    KeptRules(file, Path("/a")).add("edit:src/**")
    KeptRules(file, Path("/a")).add("edit:src/**")
    KeptRules(file, Path("/b")).add("bash:make")
    assert KeptRules(file, Path("/a")).read() == ("bash:pytest *", "edit:src/**")
    assert KeptRules(file, Path("/b")).read() == ("bash:make",)
    assert KeptRules(file, Path("/c")).read() == ()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", '{"/a": "bash:*"}', '{"/a": [1, {"x": 2}]}', "not json"])
def test_a_broken_file_allows_nothing(tmp_path, content):
    file = tmp_path / "always.json"
    file.write_text(content)
    assert KeptRules(file, Path("/a")).read() == ()
