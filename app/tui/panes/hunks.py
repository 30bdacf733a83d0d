"""Single hunks as a person answers them: what was said so far, how it is marked, and the texts it leads to."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ....tools.events import HunkAnswer
from ...engine.review_events import HunkReviewed, ReviewVerdict
from ..diffing import DiffLine, Hunk, TextDiff


class Answer(NamedTuple):
    """What a person said of a proposed hunk; ``accepted`` None is nothing yet."""

    accepted: bool | None = None
    comment: str = ""
    text: str | None = None
    """Their own lines in place of its new ones."""


class Tally(NamedTuple):
    """How many hunks got which answer."""

    accepted: int = 0
    rejected: int = 0
    edited: int = 0
    left: int = 0


class Answers:
    """The answers to the hunks of the questions that wait, until they are applied."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str, int], Answer] = {}

    def of(self, approval_id: str, path: str, hunk: int) -> Answer:
        """What was said of one hunk."""
        return self._given.get((approval_id, path, hunk), Answer())

    def put(self, approval_id: str, path: str, hunk: int, answer: Answer) -> None:
        """Say something of a hunk; an empty answer takes back what was said."""
        self._given[(approval_id, path, hunk)] = answer

    def keep(self, approval_ids: Collection[str]) -> None:
        """Forget the answers to questions that are gone."""
        self._given = {key: answer for key, answer in self._given.items() if key[0] in approval_ids}

    def given(self, approval_id: str, diffs: Iterable[TextDiff]) -> tuple[HunkAnswer, ...]:
        """The answers to a question's hunks, in order, as the engine takes them."""
        return tuple(
            HunkAnswer(path=diff.path, hunk=number, accepted=answer.accepted, comment=answer.comment, text=answer.text)
            for diff in diffs
            for number in range(len(diff.hunks))
            if (answer := self.of(approval_id, diff.path, number)).accepted is not None
        )

    def open(self, approval_id: str, diffs: Iterable[TextDiff]) -> list[tuple[str, int]]:
        """Path and number of the hunks without an answer, in order."""
        return [
            (diff.path, number)
            for diff in diffs
            for number in range(len(diff.hunks))
            if self.of(approval_id, diff.path, number).accepted is None
        ]

    def tally(self, approval_id: str, diffs: Sequence[TextDiff]) -> Tally:
        """How far the answers to a question are."""
        given = self.given(approval_id, diffs)
        edited = sum(each.accepted and each.text is not None for each in given)
        accepted = sum(each.accepted for each in given) - edited
        return Tally(
            accepted, len(given) - accepted - edited, edited, sum(len(diff.hunks) for diff in diffs) - len(given)
        )

    def shown(self, approval_id: str, diff: TextDiff) -> TextDiff:
        """The diff with the person's own lines in the hunks they edited."""
        answers = [self.of(approval_id, diff.path, number) for number in range(len(diff.hunks))]
        if all(answer.text is None for answer in answers):
            return diff
        hunks = tuple(
            hunk if answer.text is None else edited(hunk, answer.text)
            for hunk, answer in zip(diff.hunks, answers, strict=True)
        )
        return replace(diff, hunks=hunks)


def verdicts(path: str, diff: TextDiff, reviews: Iterable[HunkReviewed]) -> list[Answer]:
    """What was said of each hunk of a finished change."""
    said = {each.diff: each for each in reviews if each.path == path}
    answers: list[Answer] = []
    for hunk in diff.hunks:
        review = said.get(signed(hunk))
        accepted = True if review is not None and review.verdict is ReviewVerdict.ACCEPTED else None
        answers.append(Answer(accepted, review.comment if review is not None else ""))
    return answers


def signed(hunk: Hunk) -> str:
    """The lines of a hunk with their signs: what tells it from other hunks."""
    return "\n".join(f"{line.sign}{line.text}" for line in hunk.lines)


def new_text(hunk: Hunk) -> str:
    """The new lines of a hunk from its first change to its last, each with a newline: what a person edits."""
    first, last = _core(hunk)
    return "".join(f"{line.text}\n" for line in hunk.lines[first:last] if line.sign != "-")


def edited(hunk: Hunk, text: str) -> Hunk:
    """The hunk with other lines in place of its new ones."""
    first, last = _core(hunk)
    old = [DiffLine("-", line.text, line.old, None, line.unended) for line in hunk.lines[first:last] if line.old]
    number = hunk.new_start + first + 1
    words = text.removesuffix("\n").split("\n") if text else []
    new = [DiffLine("+", line, None, number + place) for place, line in enumerate(words)]
    return replace(hunk, lines=(*hunk.lines[:first], *old, *new, *hunk.lines[last:]))


def without_hunk(before: str, after: str, hunk: Hunk) -> str:
    """The text ``after`` with the lines of ``before`` where the hunk is."""
    old, new = _kept(before), _kept(after)
    old_count = sum(line.sign != "+" for line in hunk.lines)
    new_count = sum(line.sign != "-" for line in hunk.lines)
    restored = old[hunk.old_start : hunk.old_start + old_count]
    return "".join([*new[: hunk.new_start], *restored, *new[hunk.new_start + new_count :]])


def _core(hunk: Hunk) -> tuple[int, int]:
    """Where the hunk's lines without the context around them begin and end."""
    changed = [place for place, line in enumerate(hunk.lines) if line.sign != " "]
    return (changed[0], changed[-1] + 1) if changed else (0, len(hunk.lines))


def _kept(text: str) -> list[str]:
    """Lines with their newlines; only ``\\n`` ends a line."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines
