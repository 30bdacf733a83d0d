"""Works out what putting files back means, path by path, without touching any. Pure but for ``look``.

The rule is three-way: what is at a path now is compared with what the session last left there. Only when they
agree is the older state put back; else somebody else has changed it since, and it is left alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from .checkpoint_snapshots import Delta, Kind, Snapshot

Look = Callable[[str], Snapshot]
"""What is at a path now."""
Names = Callable[[str], Sequence[str]]
"""The names in a folder now."""

CHANGED_SINCE = "changed since"
CHANGED_BETWEEN = "changed in between: only what came after that is undone"
NOT_EMPTY = "it holds other files"


@dataclass(slots=True)
class Moves:
    """What is to be done, what is left alone and what cannot be done, each with why."""

    moves: list[Delta] = field(default_factory=list[Delta])
    kept: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    lost: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def going_back(deltas: Iterable[Delta], look: Look, names: Names) -> Moves:
    """How to take back ``deltas``, given oldest first: those of steps, or (for a redo) the moves of an undo."""
    chains: dict[str, list[Delta]] = {}
    for delta in deltas:
        chains.setdefault(delta.path, []).append(delta)
    moves = Moves()
    for path, chain in chains.items():
        _path_back(path, chain, look, moves)
    _keep_filled_folders(moves, names)
    return moves


def _path_back(path: str, chain: Sequence[Delta], look: Look, moves: Moves) -> None:
    last, now = chain[-1], look(path)
    if not last.covered:
        if not now.same_as(chain[0].before):
            moves.lost.append((path, last.why_not))
        return
    if not now.same_as(last.after):
        if not now.same_as(chain[0].before):
            moves.kept.append((path, CHANGED_SINCE))
        return
    first = len(chain) - 1
    while first > 0 and chain[first - 1].covered and chain[first - 1].after.same_as(chain[first].before):
        first -= 1
    target = chain[first].before
    if not target.same_as(now):
        moves.moves.append(Delta(path=path, before=now, after=target))
    if first > 0:
        earlier = chain[first - 1]
        where, why = (moves.kept, CHANGED_BETWEEN) if earlier.covered else (moves.lost, earlier.why_not)
        where.append((path, why))


def _keep_filled_folders(moves: Moves, names: Names) -> None:
    """A folder stays when something in it stays."""
    going = {move.path for move in moves.moves if move.after.kind is Kind.ABSENT}
    stay: set[str] = set()
    folders = [move for move in moves.moves if move.before.kind is Kind.FOLDER and move.after.kind is not Kind.FOLDER]
    for move in sorted(folders, key=_depth, reverse=True):
        inside = [f"{move.path}/{name}" for name in names(move.path)]
        if any(path in stay or path not in going for path in inside):
            stay.add(move.path)
            moves.kept.append((move.path, NOT_EMPTY))
    moves.moves[:] = [move for move in moves.moves if move.path not in stay]


def in_order(moves: Sequence[Delta]) -> list[Delta]:
    """The moves in an order in which each can be done: what goes first, from the inside out; then folders, from the
    outside in; then files and links."""
    deep = sorted(moves, key=_depth, reverse=True)
    goes = [move for move in deep if move.after.kind is Kind.ABSENT]
    folders = [move for move in reversed(deep) if move.after.kind is Kind.FOLDER]
    others = [move for move in deep if move.after.kind in (Kind.FILE, Kind.LINK)]
    return [*goes, *folders, *others]


def expected_in_progress(move: Delta, now: Snapshot) -> bool:
    """Whether a path looks as a restoration that was cut off may have left it before its turn (or in the midst of it).

    Between two kinds the path is empty for a moment; a folder that must be open for its files has other modes.
    """
    if now.same_as(move.before):
        return True
    if move.before.kind is not move.after.kind and now.kind is Kind.ABSENT:
        return True
    return Kind.FOLDER in (move.before.kind, move.after.kind) and now.kind is Kind.FOLDER


def _depth(move: Delta) -> int:
    return move.path.count("/")
