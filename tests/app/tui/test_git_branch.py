import pytest

from patchbay.app.tui.git_branch import git_branch


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        ("ref: refs/heads/main\n", "main"),
        ("ref: refs/heads/fix/the-parser\n", "fix/the-parser"),
        ("0123456789abcdef0123456789abcdef01234567\n", "01234567"),
    ],
)
def test_the_branch_is_read_from_head(tmp_path, head, shown):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    (tmp_path / "src").mkdir()
    assert git_branch(tmp_path) == shown
    assert git_branch(tmp_path / "src") == shown


def test_a_worktree_points_elsewhere(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "HEAD").write_text("ref: refs/heads/side\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / ".git").write_text(f"gitdir: {tmp_path / 'real'}\n")
    assert git_branch(tmp_path / "tree") == "side"


def test_no_repository_no_branch_and_no_escape_sequences(tmp_path):
    assert git_branch(tmp_path) == ""
    (tmp_path / ".git").mkdir()
    assert git_branch(tmp_path) == ""
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/a\x1b[31mb\n")
    assert "\x1b" not in git_branch(tmp_path)
