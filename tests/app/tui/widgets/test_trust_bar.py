"""The question whether a folder is trusted, as it stands on a narrow screen."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from patchbay.app.trust import FolderTrust
from patchbay.app.tui.transcript.palette import UNICODE_SIGNS
from patchbay.app.tui.widgets.trust_bar import question_content


@pytest.mark.parametrize(
    ("wide", "complete", "items"), [(True, True, 1), (False, False, 1), (False, True, 0), (False, True, 1)]
)
def test_what_trust_means_is_read_whole_on_80_columns(wide: bool, complete: bool, items: int) -> None:
    config = SimpleNamespace(root=Path("/home/somebody/project"), complete=complete, items=("AGENTS.md",) * items)
    trust = cast("FolderTrust", SimpleNamespace(changes=(), wide=wide, config=config))
    shown = question_content(trust, 77, UNICODE_SIGNS).plain
    assert UNICODE_SIGNS.more not in shown and shown.endswith(".")
    assert all(len(row) <= 77 for row in shown.splitlines())
