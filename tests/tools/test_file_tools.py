"""read, write, edit: what the model is shown, what is asked, and what is on disk afterwards."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.tools.events import Decision, Outcome

EDIT = [{"old_text": "two", "new_text": "2"}]


async def test_read_parts(bench) -> None:
    bench.file("f", "".join(f"l{n}\n" for n in range(1, 11)))
    result = await bench.run("read", path="f", offset=4, limit=3)
    assert result.content == "4\tl4\n5\tl5\n6\tl6\n[lines 4-6 of 10; go on with offset=7]"
    assert (await bench.run("read", path="f", offset="10")).content == "10\tl10"
    result = await bench.run("read", path="f", offset=11)
    assert result.outcome is Outcome.ERROR and "has 10 lines" in result.content


async def test_read_special_cases(bench) -> None:
    bench.file("empty", "")
    bench.file("binary", b"\x89PNG\0\0")
    bench.file("crlf", "a\r\nb\r\n")
    bench.file("long", "x" * 50_000)
    (bench.root / "folder").mkdir()
    assert (await bench.run("read", path="empty")).content == "(the file is empty)"
    assert "binary file of 6 bytes" in (await bench.run("read", path="binary")).content
    assert (await bench.run("read", path="crlf")).content == "1\ta\n2\tb"
    assert "40,000 characters of this line left out" in (await bench.run("read", path="long")).content
    assert "use list" in (await bench.run("read", path="folder")).content
    assert "no file nope" in (await bench.run("read", path="nope")).content


async def test_read_is_bounded_and_says_how_to_go_on(bench) -> None:
    bench.file("big", "x" * 99 + "\n" + ("y" * 99 + "\n") * 29_999)
    result = await bench.run("read", path="big")
    assert 1_400_000 < len(result.content) <= 1_500_000
    shown = int(result.summary.split()[0])
    assert result.content.endswith(f"[lines 1-{shown} of 30000; go on with offset={shown + 1}]")
    narrow = await bench.run("read", path="long", max_result_bytes=500)
    assert narrow.outcome is Outcome.ERROR
    bench.file("long", "z" * 9000 + "\nnext\n")
    narrow = await bench.run("read", path="long", max_result_bytes=500)
    assert "offset=2" in narrow.content and len(narrow.content) <= 500


async def test_write_new_file(bench) -> None:
    result = await bench.run("write", path="a/b/c.txt", content="one\ntwo\n")
    assert (result.outcome, result.summary) == (Outcome.OK, "+2")
    assert (bench.root / "a/b/c.txt").read_text() == "one\ntwo\n"
    assert bench.asked[0].preview == "--- /dev/null\n+++ b/a/b/c.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n"
    change = bench.changes()[0]
    assert (change.path, change.before, change.after, change.created) == ("a/b/c.txt", None, "one\ntwo\n", True)
    assert (await bench.run("edit", path="a/b/c.txt", edits=EDIT)).outcome is Outcome.OK


async def test_write_over_a_file_needs_it_read(bench) -> None:
    file = bench.file("f", "old\n")
    result = await bench.run("write", path="f", content="new\n")
    assert result.outcome is Outcome.ERROR and "read" in result.content
    assert file.read_text() == "old\n" and bench.asked == []
    await bench.run("read", path="f")
    assert (await bench.run("write", path="f", content="new\n")).summary == "+1 −1"
    assert file.read_text() == "new\n"


async def test_write_keeps_style(bench) -> None:
    file = bench.file("f", b"\xef\xbb\xbfa\r\nb\r\n")
    file.chmod(0o755)
    await bench.run("read", path="f")
    await bench.run("write", path="f", content="x\ny\n")
    assert file.read_bytes() == b"\xef\xbb\xbfx\r\ny\r\n"
    assert file.stat().st_mode & 0o777 == 0o755


async def test_write_what_is_there_already_asks_nothing(bench) -> None:
    bench.file("f", "same\n")
    await bench.run("read", path="f")
    result = await bench.run("write", path="f", content="same\n")
    assert (result.outcome, result.summary) == (Outcome.OK, "no change")
    assert bench.asked == [] and bench.changes() == []


async def test_write_to_a_folder_or_with_surrogates_fails(bench) -> None:
    (bench.root / "d").mkdir()
    assert "is a folder" in (await bench.run("write", path="d", content="x")).content
    assert "surrogates" in (await bench.run("write", path="f", content="\udce9")).content
    assert not (bench.root / "f").exists()


async def test_edit(bench) -> None:
    file = bench.file("f.txt", "one\r\ntwo\r\nthree\r\n")
    await bench.run("read", path="f.txt")
    result = await bench.run("edit", path="f.txt", edits=[{"old_text": "one\ntwo", "new_text": "one\n2"}])
    assert (result.outcome, result.summary) == (Outcome.OK, "+1 −1")
    assert file.read_bytes() == b"one\r\n2\r\nthree\r\n"
    assert bench.asked[0].preview == "--- a/f.txt\n+++ b/f.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    assert bench.asked[0].pattern == "edit:f.txt"
    change = bench.changes()[0]
    assert (change.before, change.after, change.created) == ("one\r\ntwo\r\nthree\r\n", "one\r\n2\r\nthree\r\n", False)
    again = [{"old_text": "2", "new_text": "3"}]
    assert (await bench.run("edit", path="f.txt", edits=again)).outcome is Outcome.OK


@pytest.mark.parametrize(
    "shape",
    [
        {"edits": '[{"old_text": "two", "new_text": "2"}]'},
        {"edits": {"old_text": "two", "new_text": "2"}},
        {"old_text": "two", "new_text": "2"},
    ],
)
async def test_edit_takes_the_shapes_small_models_send(bench, shape) -> None:
    file = bench.file("f", "one two\n")
    await bench.run("read", path="f")
    assert (await bench.run("edit", path="f", **shape)).outcome is Outcome.OK
    assert file.read_text() == "one 2\n"


async def test_edit_says_which_tolerance_it_used(bench) -> None:
    bench.file("f", "def f():\n\treturn 1\n")
    await bench.run("read", path="f")
    edits = [{"old_text": "def f():\n    return 1", "new_text": "def f():\n    return 2"}]
    result = await bench.run("edit", path="f", edits=edits)
    assert "matched, although indentation differs from the file" in result.content
    assert result.summary == "+1 −1, indentation differs"
    assert (bench.root / "f").read_text() == "def f():\n\treturn 2\n"


async def test_edit_needs_the_file_read(bench) -> None:
    bench.file("f", "two\n")
    result = await bench.run("edit", path="f", edits=EDIT)
    assert result.outcome is Outcome.ERROR and "not read f yet" in result.content
    assert bench.asked == []


async def test_edit_that_cannot_work_asks_nothing(bench) -> None:
    bench.file("f", "two two\n")
    await bench.run("read", path="f")
    for edits in (EDIT, [{"old_text": "three", "new_text": "3"}]):
        assert (await bench.run("edit", path="f", edits=edits)).outcome is Outcome.ERROR
    assert bench.asked == []
    assert "no file gone" in (await bench.run("edit", path="gone", edits=EDIT)).content


async def test_edit_of_a_changed_file_shows_the_change_then_works(bench) -> None:
    file = bench.file("f", "one\ntwo\n")
    await bench.run("read", path="f")
    file.write_text("ONE\ntwo\n")
    result = await bench.run("edit", path="f", edits=EDIT)
    assert result.outcome is Outcome.ERROR and result.summary == "stale"
    assert "-one\n+ONE\n" in result.content
    assert file.read_text() == "ONE\ntwo\n" and bench.asked == []
    assert (await bench.run("edit", path="f", edits=EDIT)).outcome is Outcome.OK
    assert file.read_text() == "ONE\n2\n"


async def test_of_a_file_much_changed_the_model_knows_what_the_refusal_showed(bench) -> None:
    lines = [f"line {number}\n" for number in range(500)]
    file = bench.file("f", "two\n")
    await bench.run("read", path="f")
    file.write_text("".join([*lines, "two\n", *lines]))
    result = await bench.run("edit", path="f", edits=EDIT)
    assert result.error_kind == "stale"
    assert "501\ttwo" in result.content and "496\tline 495" in result.content and "line 490\n" not in result.content
    both = [*EDIT, {"old_text": "line 7 \nline 8 \n", "new_text": "none\n"}]
    elsewhere = await bench.run("edit", path="f", edits=both)
    assert elsewhere.error_kind in ("not_read", "ambiguous") and file.read_text().count("two") == 1
    assert (await bench.run("edit", path="f", edits=EDIT)).outcome is Outcome.OK
    assert (
        await bench.run("edit", path="f", edits=[{"old_text": "2\nline 0", "new_text": "3\nline 0"}])
    ).error_kind == ""
    far = await bench.run("edit", path="f", edits=[{"old_text": "line 499\n3", "new_text": "x"}])
    assert far.error_kind == ""
    assert (await bench.run("write", path="f", content="x")).error_kind == "not_read"


async def test_the_first_edit_of_an_unread_file_shows_it_and_the_second_works(bench) -> None:
    bench.file("f", "".join(f"line {number}\n" for number in range(300)))
    edits = [{"old_text": "line 100\n", "new_text": "hundred\n"}]
    refused = await bench.run("edit", path="f", edits=edits)
    assert refused.error_kind == "not_read" and "101\tline 100" in refused.content
    assert "line 120" not in refused.content
    unseen = await bench.run("edit", path="f", edits=[{"old_text": "line 200\n", "new_text": ""}])
    assert unseen.error_kind == "not_read" and "only a part" in unseen.content
    assert (await bench.run("edit", path="f", edits=edits)).outcome is Outcome.OK


async def test_a_refusal_shows_nothing_of_a_secret_file(bench) -> None:
    bench.file(".env", "KEY=two\n")
    refused = await bench.run("edit", path=".env", edits=EDIT)
    assert refused.error_kind == "not_read" and "KEY" not in refused.content


async def test_touching_without_changing_is_no_change(bench) -> None:
    file = bench.file("f", "two\n")
    await bench.run("read", path="f")
    os.utime(file, (1, 1))
    assert (await bench.run("edit", path="f", edits=EDIT)).outcome is Outcome.OK


@pytest.mark.parametrize("name", ["edit", "write"])
async def test_a_file_changed_while_the_person_thinks_is_not_overwritten(bench, name: str) -> None:
    file = bench.file("f", "two\n")
    await bench.run("read", path="f")
    bench.while_asked = lambda: file.write_text("theirs\n")
    arguments = {"edits": EDIT} if name == "edit" else {"content": "mine\n"}
    result = await bench.run(name, path="f", **arguments)
    assert result.outcome is Outcome.ERROR and "changed while the call waited" in result.content
    assert file.read_text() == "theirs\n" and bench.changes() == []


async def test_a_new_file_that_appears_while_the_person_thinks_is_not_overwritten(bench) -> None:
    bench.while_asked = lambda: bench.file("f", "theirs\n")
    result = await bench.run("write", path="f", content="mine\n")
    assert result.outcome is Outcome.ERROR and "appeared" in result.content
    assert (bench.root / "f").read_text() == "theirs\n"


async def test_denied_changes_nothing_and_says_why(bench) -> None:
    file = bench.file("f", "two\n")
    await bench.run("read", path="f")
    bench.answer, bench.comment = Decision.DENY, "keep two"
    result = await bench.run("edit", path="f", edits=EDIT)
    assert (result.outcome, result.summary) == (Outcome.DENIED, "denied")
    assert "keep two" in result.content
    assert file.read_text() == "two\n"


async def test_edit_through_a_link_asks_for_the_target_and_keeps_the_link(bench) -> None:
    bench.file("real.txt", "two\n")
    (bench.root / "alias.txt").symlink_to("real.txt")
    await bench.run("read", path="alias.txt")
    assert (await bench.run("edit", path="alias.txt", edits=EDIT)).outcome is Outcome.OK
    assert "real.txt" in bench.asked[0].reason
    assert bench.changes()[0].path == "real.txt"
    assert (bench.root / "alias.txt").is_symlink()


async def test_empty_old_text_creates_or_fills_but_never_overwrites(bench) -> None:
    edits = [{"old_text": "", "new_text": "fresh\n"}]
    bench.file("empty", "")
    file = bench.file("full", "text\n")
    assert (await bench.run("edit", path="new", edits=edits)).outcome is Outcome.OK
    assert (await bench.run("edit", path="empty", edits=edits)).outcome is Outcome.OK
    await bench.run("read", path="full")
    assert "empty" in (await bench.run("edit", path="full", edits=edits)).content
    assert (bench.root / "new").read_text() == (bench.root / "empty").read_text() == "fresh\n"
    assert file.read_text() == "text\n"


async def test_large_and_binary_texts_stay_out_of_events(bench) -> None:
    bench.file("large", "two\n" + "x" * 500_000)
    await bench.run("read", path="large")
    await bench.run("edit", path="large", edits=EDIT)
    assert (bench.changes()[0].before, bench.changes()[0].after) == (None, None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    st.binary(max_size=60) | st.text(alphabet="ab\r\n\t é", max_size=60).map(str.encode),
    st.lists(st.tuples(st.text(alphabet="ab\r\n é", max_size=6), st.text(alphabet="abX\n", max_size=6)), max_size=3),
)
async def test_an_edit_that_fails_changes_no_byte(bench, content: bytes, pairs: list[tuple[str, str]]) -> None:
    file = bench.file("f", content)
    await bench.run("read", path="f")
    edits = [{"old_text": old, "new_text": new} for old, new in pairs]
    result = await bench.run("edit", path="f", edits=edits)
    after = file.read_bytes()
    if result.outcome is Outcome.OK and result.summary != "no change":
        assert after != content
        assert bench.changes()
    else:
        assert after == content
        assert bench.changes() == []
    assert os.listdir(bench.root) == ["f"]
