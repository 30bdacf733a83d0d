"""The diff with the keys that answer it: proposed hunks before a file is touched, finished ones after.

Of a proposed change every hunk gets an answer, and one key sends them all. Of a finished change an accepted hunk
is marked as looked at, a rejected one is taken back on disk at once, and what was said goes to the model with
the next prompt.
"""

import os
from typing import ClassVar, cast

from textual import events, on, work
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Vertical

from ....tools.events import Decision
from ...engine.review_events import HunkReviewed, ReviewVerdict
from ...engine.session import Session
from ..actions import ActionTable, bindings, key_label
from ..diffing import TextDiff
from ..external_editor import EditorError, edit_text
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..widgets.hunk_bar import HunkBar, HunkEditor, KeyWord
from .diff import DiffPane, Standing
from .diff_changes import Key
from .hunks import Answer, Answers, new_text, signed, without_hunk

_TOO_LONG = "This diff is too long to be answered hunk by hunk: answer the question as a whole."


class ReviewPane(Vertical):
    """A ``DiffPane`` and the bar under it. It tells the session what the person decided."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("review")]

    def __init__(
        self, session: Session, table: ActionTable, *, signs: Signs = UNICODE_SIGNS, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._session = session
        self._table = table
        self._answers = Answers()
        self._diff = DiffPane(answers=self._answers, signs=signs, id="diff")
        self._bar = HunkBar(id="hunk-bar")
        self._written_for: Standing | None = None

    def compose(self) -> ComposeResult:
        """The diff, its keys."""
        yield self._diff
        yield self._bar

    # ---- answers

    def action_accept(self) -> None:
        """The hunk shall be, or stay, as it is."""
        self._judge(accepted=True)

    def action_reject(self) -> None:
        """The hunk shall not be; one that is on disk is taken back, after a word that may be empty."""
        standing = self._diff.standing
        if standing is not None and not standing.key.approval_id:
            self._written_for = standing
            self._bar.ask("reject", "why? The model hears it with your next prompt. May be empty.")
            return
        self._judge(accepted=False)

    def action_comment(self) -> None:
        """Write a word about the hunk."""
        if (standing := self._answerable()) is not None:
            self._written_for = standing
            self._bar.ask("comment", "what the model shall know", standing.answer.comment)

    def action_edit(self) -> None:
        """Write the new lines of a proposed hunk."""
        standing = self._answerable()
        if standing is None:
            return
        if not standing.key.approval_id:
            self._say("This hunk is on disk already: change it in your editor, or reject it with a comment.")
            return
        self._written_for = standing
        answer = standing.answer
        self._bar.write(new_text(standing.lines) if answer.text is None else answer.text)
        self._show_keys()

    def action_clear(self) -> None:
        """Take the answer and the comment back."""
        standing = self._answerable()
        if standing is None:
            return
        if standing.key.approval_id:
            self._put(standing, Answer())
        else:
            self._review(standing, ReviewVerdict.CLEARED)

    def action_accept_rest(self) -> None:
        """Accept every hunk that has no answer yet."""
        self._judge_rest(accepted=True)

    def action_reject_rest(self) -> None:
        """Reject every proposed hunk that has no answer yet."""
        self._judge_rest(accepted=False)

    def action_apply(self) -> None:
        """Send the answers to a proposed change, once every hunk has one."""
        standing = self._answerable()
        if standing is None or not standing.key.approval_id:
            return
        approval, diffs = standing.key.approval_id, self._diff.diffs_of(standing.key.approval_id)
        if left := self._answers.open(approval, diffs):
            keys = [key_label(self._table[f"review.{name}_rest"].keys[0]) for name in ("accept", "reject")]
            some = "One hunk has" if len(left) == 1 else f"{len(left)} hunks have"
            self._say(f"{some} no answer yet: {keys[0]} accepts the rest, {keys[1]} rejects it.")
            self._diff.show_hunk(Key(left[0][0], approval), left[0][1])
            return
        given = self._answers.given(approval, diffs)
        taken = any(each.accepted for each in given)
        self._session.resolve(approval, Decision.ONCE if taken else Decision.DENY, hunks=given)

    def _judge(self, *, accepted: bool) -> None:
        standing = self._answerable()
        if standing is None:
            return
        if not standing.key.approval_id:
            self._review(standing, ReviewVerdict.ACCEPTED, standing.answer.comment)
            self._diff.next_hunk()
            return
        self._put(standing, standing.answer._replace(accepted=accepted))
        self._go_to_open(standing)

    def _judge_rest(self, *, accepted: bool) -> None:
        standing = self._answerable()
        if standing is None:
            return
        approval = standing.key.approval_id
        if approval:
            for path, hunk in self._answers.open(approval, self._diff.diffs_of(approval)):
                answer = self._answers.of(approval, path, hunk)
                self._answers.put(approval, path, hunk, answer._replace(accepted=accepted))
            self._refresh()
        elif accepted:
            for hunk, answer in enumerate(self._diff.answers):
                if answer.accepted is None:
                    each = standing._replace(hunk=hunk, answer=answer)
                    self._review(each, ReviewVerdict.ACCEPTED, answer.comment)
        else:
            self._say("Hunks that are on disk are taken back one by one.")

    def _go_to_open(self, standing: Standing) -> None:
        """To the next hunk without an answer, after this one first."""
        approval = standing.key.approval_id
        diffs = self._diff.diffs_of(approval)
        order = [diff.path for diff in diffs]
        here = (order.index(standing.key.path), standing.hunk)
        left = self._answers.open(approval, diffs)
        after = [each for each in left if (order.index(each[0]), each[1]) > here]
        for path, hunk in (*after, *left)[:1]:
            self._diff.show_hunk(Key(path, approval), hunk)

    def _answerable(self) -> Standing | None:
        standing = self._diff.standing
        if standing is not None and standing.diff.cut:
            self._say(_TOO_LONG)
            return None
        return standing

    def _put(self, standing: Standing, answer: Answer) -> None:
        self._answers.put(standing.key.approval_id, standing.key.path, standing.hunk, answer)
        self._refresh()

    def _refresh(self) -> None:
        self._diff.answers_changed()
        self._show_keys()

    # ---- what was written

    @on(HunkBar.Said)
    def take_words(self, event: HunkBar.Said) -> None:
        """A comment, or why a hunk is taken back."""
        event.stop()
        self._diff.focus()
        standing, self._written_for = self._written_for, None
        if standing is None:
            return
        if event.purpose == "reject":
            self._review(standing, ReviewVerdict.REVERTED, event.text or standing.answer.comment)
        elif standing.key.approval_id:
            self._put(standing, standing.answer._replace(comment=event.text))
        else:
            accepted = standing.answer.accepted is True
            nothing = ReviewVerdict.ACCEPTED if accepted else ReviewVerdict.CLEARED
            verdict = ReviewVerdict.COMMENTED if event.text and not accepted else nothing
            self._review(standing, verdict, event.text)

    @on(HunkBar.Written)
    def take_lines(self, event: HunkBar.Written) -> None:
        """The person's own lines: an answer that accepts them. The hunk's own lines are no edit."""
        event.stop()
        self._diff.focus()
        self._keep_lines(event.text)

    @on(HunkBar.Left)
    def leave(self, event: HunkBar.Left) -> None:
        """Nothing was written."""
        event.stop()
        self._written_for = None
        self._diff.focus()
        self._show_keys()

    @on(HunkEditor.EditorWanted)
    def edit_externally(self, event: HunkEditor.EditorWanted) -> None:
        """The person's own editor takes the terminal."""
        event.stop()
        text = self._bar.lines
        try:
            with cast("App[object]", self.app).suspend():
                written = edit_text(text, os.environ)
        except (EditorError, SuspendNotSupported) as error:
            self._say(str(error) or "This terminal cannot be handed to an editor.")
            return
        self._bar.close()
        self._diff.focus()
        self._keep_lines(written)

    def _keep_lines(self, text: str) -> None:
        standing, self._written_for = self._written_for, None
        if standing is None or not any(standing.key.path == diff.path for diff in self._proposed(standing)):
            return
        ended = f"{text}\n" if text and not text.endswith("\n") else text
        own = None if ended == new_text(standing.lines) else ended
        self._put(standing, standing.answer._replace(accepted=True, text=own))
        self._go_to_open(standing)

    def _proposed(self, standing: Standing) -> list[TextDiff]:
        return self._diff.diffs_of(standing.key.approval_id)

    @work(group="review")
    async def _review(self, standing: Standing, verdict: ReviewVerdict, comment: str = "") -> None:
        """Tell the session; a hunk that is taken back goes with the texts that say how."""
        source = standing.source
        if isinstance(source, TextDiff):
            return
        lines = standing.lines
        review = HunkReviewed(
            path=source.path,
            hunk=standing.hunk,
            hunks=len(standing.diff.hunks),
            diff=signed(lines),
            verdict=verdict,
            comment=comment,
        )
        wanted: str | None = None
        if verdict is ReviewVerdict.REVERTED:
            wanted = without_hunk(source.before or "", source.after or "", lines)
            wanted = None if source.created and not wanted else wanted
        problem = await self._session.review(review, left=source.after, wanted=wanted)
        if problem:
            self._say(problem)

    def _say(self, words: str) -> None:
        self.notify(words, severity="warning", markup=False)

    # ---- keys

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The keys stand there while they work."""
        del event
        self._show_keys()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Without the focus no key works here."""
        del event
        self.call_later(self._show_keys)

    @on(DiffPane.Moved)
    def follow_hunk(self, event: DiffPane.Moved) -> None:
        """Another hunk may have other keys."""
        event.stop()
        self._show_keys()

    def _show_keys(self) -> None:
        self._bar.show(self._keys() if self.has_focus_within else ())

    def _keys(self) -> list[KeyWord]:
        standing = self._diff.standing
        if self._bar.purpose == "lines":
            return self._named("hunk.save", "hunk.edit_externally", also=[KeyWord("Esc", "back")])
        if self._bar.writing:
            done = "take the hunk back on disk" if self._bar.purpose == "reject" else "keep the comment"
            return [KeyWord("Enter", done), KeyWord("Esc", "leave it")]
        if standing is None:
            return []
        if standing.diff.cut:
            return [KeyWord("", _TOO_LONG)]
        said = standing.answer != Answer()
        if not standing.key.approval_id:
            clear = ("review.clear",) if said else ()
            keys = self._named("review.accept", "review.reject", "review.comment", *clear, "review.accept_rest")
            return [key._replace(word="take back") if key.word == "reject" else key for key in keys]
        tally = self._answers.tally(standing.key.approval_id, self._proposed(standing))
        some = ("review.accept", "review.reject", "review.edit", "review.comment", *(("review.clear",) if said else ()))
        if tally.left:
            left = KeyWord("", f"{tally.left} to answer")
            return self._named(*some, "review.accept_rest", "review.reject_rest", also=[left])
        taken, every = tally.accepted + tally.edited, tally.accepted + tally.edited + tally.rejected
        word = f"apply {taken} of {every}" if taken else "decline all"
        return [key._replace(word=word) if key.word == "apply" else key for key in self._named(*some, "review.apply")]

    def _named(self, *actions: str, also: list[KeyWord] | None = None) -> list[KeyWord]:
        table = (self._table[each] for each in actions)
        return [*(KeyWord(key_label(each.keys[0]), each.hint) for each in table if each.keys), *(also or [])]
