"""What a person said of finished hunks, from the key press to the model's next request.

A review is an event. The state keeps it as a mark on the hunk, and until the next prompt as something the model
has not been told; the prompt then carries it as a note. Pure.
"""

from dataclasses import replace

from .events import NoticeLevel
from .review_events import HunkReviewed, ReviewVerdict
from .state import NoticeEntry, SessionState

NOTED_CHARACTERS = 6000
"""The most of one hunk that is repeated to the model."""


def reviewed(state: SessionState, event: HunkReviewed, at: float) -> SessionState:
    """The state after a review: the newest word on a hunk holds. What the model will hear is said in the chat."""
    hunk = (event.path, event.diff)
    reviews = tuple(each for each in state.reviews if (each.path, each.diff) != hunk)
    untold = tuple(each for each in state.untold_reviews if (each.path, each.diff) != hunk)
    match event.verdict:
        case ReviewVerdict.CLEARED:
            pass
        case ReviewVerdict.REVERTED:
            untold = (*untold, event)  # it is gone from the diff: nothing is left to put a mark on
        case ReviewVerdict.ACCEPTED | ReviewVerdict.COMMENTED:
            reviews = (*reviews, event)
            untold = (*untold, event) if event.comment else untold
    state = replace(state, reviews=reviews, untold_reviews=untold)
    words = _in_chat(event)
    if not words:
        return state
    return replace(state, transcript=(*state.transcript, NoticeEntry(message=words, level=NoticeLevel.INFO, at=at)))


def review_note(reviews: tuple[HunkReviewed, ...]) -> str:
    """What the next prompt tells the model of the reviews before it; empty when there were none."""
    if not reviews:
        return ""
    told = "\n".join(map(_to_model, reviews))
    return f"the user reviewed your finished changes, hunk by hunk:\n{told}"


def _to_model(review: HunkReviewed) -> str:
    comment = f": {review.comment}" if review.comment else "."
    if review.verdict is ReviewVerdict.REVERTED:
        words = f"- {_place(review)} was rejected{comment}\n  It is taken back on disk; do not make it again unasked:"
    else:
        words = f"- {_place(review)} stays, with a comment{comment}"
    cut = review.diff[:NOTED_CHARACTERS]
    more = "\n  [the rest of the hunk is left out]" if len(cut) < len(review.diff) else ""
    return words + "".join(f"\n  {line}" for line in cut.split("\n")) + more


def _in_chat(review: HunkReviewed) -> str:
    comment = f': "{review.comment}".' if review.comment else "."
    match review.verdict:
        case ReviewVerdict.REVERTED:
            return f"You took back {_place(review)}{comment} The model hears of it with your next prompt."
        case ReviewVerdict.COMMENTED | ReviewVerdict.ACCEPTED if review.comment:
            return f"Your comment on {_place(review)}{comment} The model gets it with your next prompt."
        case _:
            return ""


def _place(review: HunkReviewed) -> str:
    return f"hunk {review.hunk + 1} of {review.hunks} in {review.path}"
