"""The command palette: every action of the table that works everywhere, found by title, id or slash command."""

from collections.abc import Callable
from functools import partial
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from .actions import Action, ActionTable, key_label


class ActionCommands(Provider):
    """Offers the actions of the screen below the palette."""

    async def discover(self) -> Hits:
        """Everything, in the table's order, before a letter is typed."""
        for action in self._actions():
            yield DiscoveryHit(action.title, self._runner(action), help=_keys(action))

    async def search(self, query: str) -> Hits:
        """What fits the letters typed so far."""
        matcher = self.matcher(query)
        for action in self._actions():
            score = max(matcher.match(action.title), matcher.match(action.id))
            if score > 0:
                yield Hit(score, matcher.highlight(action.title), self._runner(action), help=_keys(action))

    def _actions(self) -> list[Action]:
        table = cast(ActionTable, getattr(self.screen, "table", ActionTable()))
        return [action for action in table.within("global") if action.id != "app.command_palette"]

    def _runner(self, action: Action) -> Callable[[], object]:
        return partial(self.screen.run_action, action.name)


def _keys(action: Action) -> str:
    slash = [f"/{action.slash}"] if action.slash else []
    return "  ".join([*map(key_label, action.keys), *slash])
