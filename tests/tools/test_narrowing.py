"""A change of which a person took a part: what is on disk then, and what the model is told."""

import pytest

from patchbay.tools.events import Decision, HunkAnswer, Outcome

LINES = [f"line {n}\n" for n in range(60)]
BEFORE = "".join(LINES)


def said(hunk: int, accepted: bool, comment: str = "", text: str | None = None, path: str = "a.py") -> HunkAnswer:
    return HunkAnswer(path=path, hunk=hunk, accepted=accepted, comment=comment, text=text)


def edit(*numbers: int) -> list[dict[str, str]]:
    return [{"old_text": f"line {n}\n", "new_text": f"LINE {n}\n"} for n in numbers]


async def edited(bench, *hunks: HunkAnswer, decision: Decision = Decision.ONCE):
    bench.file("a.py", BEFORE)
    await bench.run("read", path="a.py")
    bench.hunks, bench.answer = hunks, decision
    return await bench.run("edit", path="a.py", edits=edit(5, 30, 55))


async def test_a_declined_hunk_stays_as_it_was_and_the_model_hears_why(bench) -> None:
    result = await edited(bench, said(0, True), said(1, False, "keep that name"), said(2, True))
    expected = BEFORE.replace("line 5\n", "LINE 5\n").replace("line 55\n", "LINE 55\n")
    assert (bench.root / "a.py").read_text() == expected
    assert result.outcome is Outcome.OK
    assert result.summary == "+2 −2, 1 declined of 3 hunks"
    assert "Changed a.py (+2 −2, 1 declined of 3 hunks)" in result.content or "Changed a.py (+2 −2)" in result.content
    assert "hunk 2 of 3 in a.py declined: keep that name\n  -line 30\n  +LINE 30\n" in result.content
    assert "hunk 1" not in result.content
    assert bench.changes()[0].after == expected


async def test_an_edited_hunk_has_the_persons_lines_and_the_model_sees_them(bench) -> None:
    result = await edited(bench, said(0, True, "shorter", text="five\nfive and a half\n"), said(1, True), said(2, True))
    text = (bench.root / "a.py").read_text()
    assert "line 4\nfive\nfive and a half\nline 6\n" in text
    assert "LINE 30" in text
    assert "hunk 1 of 3 in a.py was edited by the user (shorter) to:\n  five\n  five and a half" in result.content


async def test_hunks_that_are_not_named_follow_the_decision(bench) -> None:
    await edited(bench, said(1, True), decision=Decision.DENY)
    assert (bench.root / "a.py").read_text() == BEFORE.replace("line 30\n", "LINE 30\n")


async def test_nothing_taken_is_a_denial_with_every_comment(bench) -> None:
    result = await edited(bench, said(0, False, "no"), said(1, False), said(2, False, "not here"))
    assert (bench.root / "a.py").read_text() == BEFORE
    assert result.outcome is Outcome.DENIED
    assert bench.changes() == []
    assert "nothing was done" in result.content
    assert "hunk 1 of 3 in a.py declined: no" in result.content
    assert "hunk 3 of 3 in a.py declined: not here" in result.content


async def test_a_comment_on_what_was_taken_reaches_the_model(bench) -> None:
    result = await edited(bench, said(0, True, "nice"))
    assert "hunk 1 of 3 in a.py accepted, with a comment: nice" in result.content
    assert "LINE 55" in (bench.root / "a.py").read_text()


@pytest.mark.parametrize("answer", [said(3, False), said(0, False, path="other.py")])
async def test_an_answer_that_fits_nothing_does_nothing(bench, answer: HunkAnswer) -> None:
    result = await edited(bench, answer)
    assert result.outcome is Outcome.ERROR
    assert "nothing was done" in result.content
    assert (bench.root / "a.py").read_text() == BEFORE


async def test_a_new_file_is_one_hunk(bench) -> None:
    bench.hunks = (said(0, True, text="mine\n", path="new.txt"),)
    await bench.run("write", path="new.txt", content="theirs\n")
    assert (bench.root / "new.txt").read_text() == "mine\n"
    bench.hunks = (said(0, False, "no file", path="other.txt"),)
    result = await bench.run("write", path="other.txt", content="theirs\n")
    assert result.outcome is Outcome.DENIED
    assert not (bench.root / "other.txt").exists()


async def test_the_model_may_go_on_editing_what_was_narrowed(bench) -> None:
    await edited(bench, said(1, False))
    bench.hunks = ()
    result = await bench.run("edit", path="a.py", edits=[{"old_text": "line 30\n", "new_text": "thirty\n"}])
    assert result.outcome is Outcome.OK


async def test_a_no_without_hunks_is_a_plain_no(bench) -> None:
    result = await edited(bench, decision=Decision.DENY)
    assert result.content == "The person declined this call; nothing was done. Do not repeat it unchanged."
