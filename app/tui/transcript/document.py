"""A Markdown document that grows: text in, rows out.

``feed`` takes text in any pieces; ``lay`` brings ``rows`` up to date for a width and says from which row on
they changed. Work is in proportion to what is new: finished blocks are never made again at one width.
Text must be safe already (``tools.safe_text``).
"""

from .blocks import LeafView, view_of
from .leaves import Kind, Leaf
from .palette import Look, Signs
from .rows import PLAIN, Row
from .scanner import Scanner


class Document:
    """Markdown as rows."""

    def __init__(self, signs: Signs, base: Look = PLAIN) -> None:
        self.rows: list[Row] = []
        """The rows at the width of the last ``lay``."""
        self._signs = signs
        self._base = base
        self._scanner = Scanner(signs)
        self._partial = ""
        self._views: list[LeafView] = []
        self._next = 0
        self._fixed = 0
        self._width = 0
        self._growing: LeafView | None = None
        self._growing_fixed = 0

    def feed(self, text: str) -> None:
        """More text. Nothing is shown before the next ``lay``."""
        self._partial += text
        if "\n" in text:
            *lines, self._partial = self._partial.split("\n")
            self._growing = None
            for line in lines:
                self._scanner.feed_line(line)

    def close(self) -> None:
        """The text is complete."""
        self._growing = None
        if self._partial:
            self._scanner.feed_line(self._partial)
            self._partial = ""
        self._scanner.finish()

    def lay(self, width: int) -> int:
        """Make ``rows`` right for ``width`` cells. Returns the first row that changed (``len(rows)`` when none did)."""
        if width != self._width:
            self._begin_again(width)
        mine, begun = self._scanner.look_at(self._partial) if self._partial else (False, None)
        if begun is not None and self._growing is not None and _continues(self._growing.leaf, begun):
            return self._grow_on(self._growing, begun)
        keep = self._first_unsure()
        old = self.rows[keep:]
        del self.rows[self._fixed :]
        self._lay_leaves()
        self._lay_open_leaf(self._scanner.partial_text(self._partial) if mine else None)
        self._growing = None
        if begun is not None:
            self._lay_begun(begun)
        return keep + self._keep_same(keep, old)

    def _begin_again(self, width: int) -> None:
        self._width = width
        self._next = self._fixed = 0
        self._growing = None
        self.rows.clear()
        for view in self._views:
            view.reset(width)

    def _first_unsure(self) -> int:
        """The first row that this ``lay`` may change."""
        if self._next < len(self._views):
            view = self._views[self._next]
            anew = view.kind is not view.leaf.kind or (view.replaces and view.leaf.closed)
            if view.start >= 0 and anew:
                return min(view.start, self._fixed)
        return self._fixed

    def _lay_leaves(self) -> None:
        leaves = self._scanner.leaves
        while self._next < len(leaves):
            view = self._placed_view(self._next)
            if not view.leaf.closed:
                break
            if view.replaces:
                del self.rows[view.start :]
            self.rows += view.rest()
            self._next += 1
            self._fixed = len(self.rows)

    def _lay_open_leaf(self, partial: str | None) -> None:
        """The leaf that still takes lines, with the part of the growing line that is its."""
        if self._next < len(self._scanner.leaves):
            fixed, tail = self._placed_view(self._next).advance(partial)
            self.rows += fixed
            self._fixed = len(self.rows)
            self.rows += tail

    def _lay_begun(self, leaf: Leaf) -> None:
        """A leaf that the growing line begins; it is real only when the line is whole."""
        if leaf.gap is not None:
            self.rows.append(_gap(leaf.gap))
        self._growing = view_of(leaf, self._signs, self._base)
        self._growing.reset(self._width)
        self._growing_fixed = len(self.rows)
        self._grow_on(self._growing, leaf)

    def _grow_on(self, view: LeafView, leaf: Leaf) -> int:
        """The begun leaf got longer: what its line was before is still its beginning."""
        partial = None
        if leaf.kind in (Kind.PARAGRAPH, Kind.CODE) and leaf.lines:
            view.leaf.lines, partial = [], leaf.lines[0]
        else:
            view.leaf.lines = leaf.lines
        old = self.rows[self._growing_fixed :]
        del self.rows[self._growing_fixed :]
        keep = len(self.rows)
        fixed, tail = view.advance(partial)
        self.rows += fixed
        self._growing_fixed = len(self.rows)
        self.rows += tail
        return keep + self._keep_same(keep, old)

    def _placed_view(self, index: int) -> LeafView:
        """The view of a leaf, with its place in ``rows``; made anew when the leaf turned out to be another kind."""
        leaf = self._scanner.leaves[index]
        if index == len(self._views):
            self._views.append(view_of(leaf, self._signs, self._base))
            self._views[index].reset(self._width)
        view = self._views[index]
        if view.kind is not leaf.kind:
            start = view.start
            view = self._views[index] = view_of(leaf, self._signs, self._base)
            view.reset(self._width)
            if start >= 0:
                del self.rows[start:]
                view.start = start
        if view.start < 0:
            if leaf.gap is not None:
                self.rows.append(_gap(leaf.gap))
                self._fixed = len(self.rows)
            view.start = len(self.rows)
        return view

    def _keep_same(self, keep: int, old: list[Row]) -> int:
        """Put back old rows that look the same as the new ones: they are painted already. Returns how many lead."""
        same = 0
        for index, (before, after) in enumerate(zip(old, self.rows[keep:], strict=False)):
            if not before.same_as(after):
                break
            self.rows[keep + index] = before
            same += 1
        return same


def _gap(spans: tuple[tuple[str, Look], ...]) -> Row:
    return Row(spans, skip=sum(len(text) for text, _ in spans))


def _continues(before: Leaf, after: Leaf) -> bool:
    """True when the growing line still begins the leaf it began before."""
    return before.kind is after.kind and before.level == after.level and before.first == after.first
