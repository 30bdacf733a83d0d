import resource
from pathlib import Path

import pytest

from patchbay.app.cli.session_files import FileProblem, write_new


def test_a_new_file_is_whole_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # what the kernel says then is what a full disk says
    try:
        with pytest.raises(FileProblem, match=r"session\.jsonl: File too large\."):
            write_new(file, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not file.exists()
    write_new(file, "whole")
    assert file.read_text() == "whole"
    with pytest.raises(FileProblem, match="exists"):
        write_new(file, "another")
    assert file.read_text() == "whole"


def test_what_is_replaced_may_be_no_file_of_a_disk() -> None:
    write_new(Path("/dev/null"), "gone", replace=True)
