"""A plan as a person leaves it who answered its hunks one by one, and what the model is told of that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .bounds import clipped
from .changing import planned_changes
from .diffs import unified_diff
from .events import ApprovalResolved, Decision, HunkAnswer, Outcome
from .failures import ToolFailure
from .hunks import Choice, Hunk, HunkedChange
from .safe_text import reveal
from .text_file import displayable
from .tool import Plan, ToolContext
from .workspace import Change

_HUNK_BYTES = 6_000
"""The most that is repeated to the model of one declined or edited hunk."""


def answered(plan: Plan, answer: ApprovalResolved, context: ToolContext) -> Plan:
    """The plan with what the person took of it; ``plan`` itself when they took all of it as it is.

    A hunk that is not named follows the decision. Raises ``ToolFailure``: DENIED when nothing is left, ERROR when
    the answers do not fit the plan; then nothing is done.
    """
    if not answer.hunks:
        if answer.decision is Decision.DENY:
            raise denied(answer)
        return plan
    files = _by_file(plan, answer)
    told = "\n".join(line for file in files for line in file.told())
    if not any(choice.accepted for file in files for choice in file.choices.values()):
        raise denied(answer, told)
    if not told:
        return plan
    changes = [replace(file.change, after=file.hunked.chosen(file.choices)) for file in files]
    return planned_changes(
        changes, context, note=f"\nThe user answered hunk by hunk:\n{told}", summary_note=_in_short(files)
    )


def denied(answer: ApprovalResolved, told: str = "") -> ToolFailure:
    """The failure that tells the model of a no, with the person's words."""
    comment = words_of(answer)
    each = f"\n{told}" if told else ""
    return ToolFailure(
        f"The person declined this call; nothing was done.{comment} Do not repeat it unchanged.{each}",
        outcome=Outcome.DENIED,
        kind="denied",
    )


def words_of(answer: ApprovalResolved) -> str:
    """The person's own words beside an answer, as the model is told them; "" when there are none."""
    comment = answer.comment.strip()
    return f' They say: "{comment}".' if comment else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """One file of the plan with what the person said of it. Content without hunks counts as one."""

    change: Change
    hunked: HunkedChange
    choices: Mapping[int, Choice]
    comments: Mapping[int, str]

    def told(self) -> Iterator[str]:
        """What the model has to know: every hunk that was not simply accepted."""
        for number, choice in self.choices.items():
            place = f"- hunk {number + 1} of {len(self.choices)} in {self.change.place.shown}"
            hunk = self.hunked.hunks[number] if self.hunked.hunks else None
            comment = self.comments.get(number, "").strip()
            if not choice.accepted:
                yield f"{place} declined{f': {comment}' if comment else ''}"
                yield f"{_diff_lines(hunk)}  These lines are as they were." if hunk else "  The file is as it was."
            elif choice.text is not None:
                yield f"{place} was edited by the user{f' ({comment})' if comment else ''} to:"
                yield _indented(choice.text.removesuffix("\n").split("\n")) if choice.text else "  (no lines)"
            elif comment:
                yield f"{place} accepted, with a comment: {comment}"


def _by_file(plan: Plan, answer: ApprovalResolved) -> list[_File]:
    named: dict[str, dict[int, HunkAnswer]] = {}
    for each in answer.hunks:
        named.setdefault(each.path, {})[each.hunk] = each
    files: list[_File] = []
    for change in plan.changes:
        hunked = HunkedChange(change.before, change.after)
        given = named.pop(reveal(displayable(change.place.shown)), {})
        count = max(1, len(hunked.hunks))
        if not given.keys() <= set(range(count)):
            raise _unfitting()
        choices = {number: _choice(given.get(number), answer.decision) for number in range(count)}
        if not hunked.hunks and not choices[0].accepted:
            change = replace(change, after=change.before)
            hunked = HunkedChange(change.before, change.after)
        comments = {number: each.comment for number, each in given.items()}
        files.append(_File(change=change, hunked=hunked, choices=choices, comments=comments))
    if named:
        raise _unfitting()
    return files


def _choice(given: HunkAnswer | None, decision: Decision) -> Choice:
    if given is None:
        return Choice(accepted=decision is not Decision.DENY)
    return Choice(accepted=given.accepted, text=given.text if given.accepted else None)


def _unfitting() -> ToolFailure:
    return ToolFailure("The answers name hunks that this change does not have; nothing was done. Make the call again.")


def _diff_lines(hunk: Hunk) -> str:
    diff = unified_diff("".join(hunk.old), "".join(hunk.new), "").text
    return _indented([line for line in reveal(displayable(diff)).split("\n")[2:-1] if not line.startswith("@@")]) + "\n"


def _indented(lines: list[str]) -> str:
    return clipped("\n".join(f"  {line}" for line in lines), _HUNK_BYTES)


def _in_short(files: list[_File]) -> str:
    """Like ``1 declined, 1 edited of 3 hunks``, for the tool log."""
    choices = [choice for file in files for choice in file.choices.values()]
    declined = sum(not choice.accepted for choice in choices)
    edited = sum(choice.accepted and choice.text is not None for choice in choices)
    words = [f"{count} {word}" for count, word in ((declined, "declined"), (edited, "edited")) if count]
    return f"{', '.join(words)} of {len(choices)} hunk{'s' if len(choices) > 1 else ''}" if words else ""
