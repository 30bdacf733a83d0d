"""The action table: everything a person can do by key, slash command or palette.

One row an action. Textual's bindings, the slash commands of the prompt, the key help, the command palette
and the footer are all made from it, so that what a screen says always works there. A binding calls the
method ``action_<name>`` of the widget that has the context (the app for ``global``), where name is the id
after its dot.

Keys must arrive through a plain terminal, ssh and tmux, must not be needed for typing in the prompt, and
mean one thing wherever they work. The person can give an action other keys (``ActionTable.remapped``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from itertools import combinations
from typing import Literal, TypeAlias

from textual.binding import Binding

from .key_names import KeyNameError, canonical_key, key_label, typing_free_key

Context: TypeAlias = Literal[
    "global", "chat", "diff", "review", "hunk", "tools", "prompt", "approval", "trust", "switcher", "sessions", "budget"
]
"""Where an action works: everywhere, or while that part of the screen has the focus."""

CONTEXT_TITLES: Mapping[Context, str] = {
    "global": "Everywhere",
    "prompt": "Prompt",
    "approval": "A question that waits",
    "budget": "A request that waits for its budget",
    "trust": "Whether a folder is trusted",
    "chat": "Chat",
    "diff": "Diff",
    "review": "A hunk of the diff",
    "hunk": "Lines of a hunk, while you write them",
    "tools": "Tool log",
    "switcher": "Model switcher",
    "sessions": "Session browser",
}


class KeymapError(ValueError):
    """The person's keys cannot be used; the message names the setting and the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a person can do."""

    id: str
    """``subject.name``: what settings, bindings and the palette call it."""
    title: str
    """What it does, in a few words; for the key help and the palette."""
    keys: tuple[str, ...] = ()
    """Textual key names; the first is the one that is shown."""
    context: Context = "global"
    slash: str | None = None
    """The slash command without its slash."""
    argument: str = ""
    """What the slash command takes, for its help; empty when it takes nothing."""
    hint: str = ""
    """The word in the footer."""
    show: bool = False
    """Whether the footer names it. A question names its own keys: which of them work depends on it."""

    @property
    def name(self) -> str:
        """The action method's name, without ``action_``."""
        return self.id.partition(".")[2]

    def binding(self) -> Binding:
        """The Textual binding. Its id lets ``App.set_keymap`` give it other keys."""
        return Binding(",".join(self.keys), self.name, self.title, show=self.show, id=self.id)


ACTIONS: tuple[Action, ...] = (
    Action(id="app.show_help", title="Keys and commands", keys=("f1",), slash="help", hint="help", show=True),
    Action(
        id="session.switch_model",
        title="Switch model",
        keys=("ctrl+o", "f2"),
        slash="model",
        argument="[provider/model]",
        hint="model",
        show=True,
    ),
    Action(id="session.previous_model", title="Back to the model before", keys=("alt+p",), hint="model before"),
    Action(id="session.next_favourite", title="Next favourite model", keys=("alt+n",), hint="favourite"),
    Action(id="app.command_palette", title="Command palette", keys=("ctrl+p",), hint="commands", show=True),
    Action(id="session.cancel", title="Stop what runs, or go back", keys=("escape",), hint="stop", show=True),
    Action(id="session.retry", title="Ask again after an error", keys=("ctrl+r",), slash="retry", hint="retry"),
    Action(
        id="session.next_effort",
        title="Thinking effort",
        keys=("f8",),
        slash="effort",
        argument="[level]",
        hint="effort",
    ),
    Action(
        id="session.next_mode",
        title="What runs unasked",
        keys=("f5",),
        slash="mode",
        argument="[name]",
        hint="mode",
    ),
    Action(id="session.undo", title="Undo the files of the last turn", keys=("alt+z",), slash="undo", hint="undo"),
    Action(id="session.redo", title="Redo what was undone", keys=("alt+y",), slash="redo", hint="redo"),
    Action(id="session.rewind", title="Rewind to before a prompt", keys=("alt+r",), slash="rewind", hint="rewind"),
    Action(id="session.show_cost", title="What was spent, and on what", keys=("alt+m",), slash="cost", hint="cost"),
    Action(id="session.show_tokens", title="Tokens that were used", slash="tokens"),
    Action(
        id="session.verify",
        title="Run the checks",
        keys=("alt+v",),
        slash="verify",
        argument="[rounds]",
        hint="verify",
    ),
    Action(id="session.show_sessions", title="Sessions", keys=("alt+s",), slash="sessions", hint="sessions"),
    Action(id="session.new_session", title="Begin a new session here", slash="new"),
    Action(id="session.take_back", title="Take back prompts that wait", keys=("alt+u",), slash="unqueue"),
    Action(
        id="session.paste_image",
        title="Paste an image",
        keys=("alt+i",),
        slash="paste",
        argument="[words]",
        hint="image",
    ),
    Action(id="session.show_context", title="Where the window goes", keys=("alt+c",), slash="context", hint="context"),
    Action(id="session.compact", title="Make room now", slash="compact", argument="[focus]"),
    Action(id="session.show_dropped", title="What was summarised away", slash="dropped"),
    Action(id="session.refresh_files", title="Send stale files anew", keys=("alt+a",), slash="refresh"),
    Action(
        id="session.show_budget",
        title="What may be spent",
        slash="budget",
        argument="[USD|off]",
    ),
    Action(id="view.next_pane", title="Next pane", keys=("tab",), hint="panes", show=True),
    Action(id="view.previous_pane", title="Previous pane", keys=("shift+tab",)),
    Action(id="view.show_chat", title="Go to the chat", keys=("alt+1",), hint="chat"),
    Action(id="view.show_diff", title="Go to the diff", keys=("alt+2",), hint="diff"),
    Action(id="view.show_tools", title="Go to the tool log", keys=("alt+3",), hint="tools"),
    Action(id="view.scroll_up", title="Scroll the chat up a page", keys=("pageup",)),
    Action(id="view.scroll_down", title="Scroll the chat down a page", keys=("pagedown",)),
    Action(id="view.jump_to_end", title="Jump to the newest", keys=("ctrl+end",), hint="newest"),
    Action(id="view.toggle_thinking", title="Show or fold thinking", keys=("ctrl+t",), hint="thinking"),
    Action(id="view.toggle_todos", title="Fold or unfold the model's plan", keys=("alt+4",), slash="todo", hint="plan"),
    Action(id="view.show_exchange", title="Raw exchange with the provider", keys=("f3",), slash="wire", hint="wire"),
    Action(id="view.next_theme", title="Next theme", keys=("f4",), slash="theme", argument="[name]", hint="theme"),
    Action(id="session.show_instructions", title="Standing instructions", slash="instructions"),
    Action(id="session.ask_trust", title="Whether this folder is trusted", slash="trust"),
    Action(id="app.interrupt", title="Copy what is selected; twice: quit", keys=("ctrl+c",)),
    Action(id="app.quit", title="Quit", keys=("ctrl+q",), slash="quit", hint="quit", show=True),
    Action(id="prompt.submit", title="Send the prompt", keys=("enter",), context="prompt", hint="send"),
    Action(
        id="prompt.newline",
        title="New line (or end the line with \\)",
        keys=("shift+enter", "ctrl+j", "alt+enter"),
        context="prompt",
        hint="new line",
    ),
    Action(id="prompt.history_previous", title="Earlier prompt (on the first line)", keys=("up",), context="prompt"),
    Action(id="prompt.history_next", title="Later prompt (on the last line)", keys=("down",), context="prompt"),
    Action(id="prompt.edit_externally", title="Write in $EDITOR", keys=("ctrl+g",), context="prompt", hint="editor"),
    Action(id="approval.once", title="Yes, this once", keys=("y",), context="approval", hint="once"),
    Action(id="approval.session", title="Yes, for this session", keys=("s",), context="approval", hint="this session"),
    Action(id="approval.always", title="Yes, always for this pattern", keys=("p",), context="approval", hint="always"),
    Action(id="approval.deny", title="No", keys=("n",), context="approval", hint="no"),
    Action(id="approval.comment", title="No, and say why", keys=("c",), context="approval", hint="comment"),
    Action(id="approval.hunks", title="Answer hunk by hunk", keys=("h",), context="approval", hint="hunk by hunk"),
    Action(id="budget.once", title="Send it all the same", keys=("y",), context="budget", hint="send"),
    Action(id="budget.raise_limit", title="Raise the limit", keys=("l",), context="budget", hint="raise"),
    Action(id="budget.other_model", title="Another model", keys=("m",), context="budget", hint="another model"),
    Action(id="budget.deny", title="Stop here", keys=("n",), context="budget", hint="stop"),
    Action(id="trust.session", title="Trust it for this session", keys=("s",), context="trust", hint="this session"),
    Action(id="trust.always", title="Trust it as it is now", keys=("p",), context="trust", hint="always"),
    Action(id="trust.deny", title="Do not trust it", keys=("n",), context="trust", hint="no"),
    Action(id="chat.next", title="Next message", keys=("j",), context="chat"),
    Action(id="chat.previous", title="Previous message", keys=("k",), context="chat"),
    Action(id="chat.unfold", title="Unfold or fold", keys=("enter", "space"), context="chat", hint="unfold", show=True),
    Action(id="diff.next", title="Next hunk", keys=("j",), context="diff", hint="next hunk", show=True),
    Action(id="diff.previous", title="Previous hunk", keys=("k",), context="diff", hint="previous"),
    Action(id="diff.next_file", title="Next file", keys=("J",), context="diff", hint="next file"),
    Action(id="diff.previous_file", title="Previous file", keys=("K",), context="diff"),
    Action(
        id="diff.toggle_layout",
        title="Unified or side by side",
        keys=("v",),
        context="diff",
        hint="side by side",
        show=True,
    ),
    Action(id="diff.follow", title="Follow the newest change", keys=("f",), context="diff", hint="follow"),
    Action(id="review.accept", title="Accept the hunk", keys=("a",), context="review", hint="accept"),
    Action(
        id="review.reject",
        title="Reject it; on disk: take it back",
        keys=("r",),
        context="review",
        hint="reject",
    ),
    Action(id="review.edit", title="Write the proposed lines anew", keys=("e",), context="review", hint="edit"),
    Action(id="review.comment", title="Say something about the hunk", keys=("c",), context="review", hint="comment"),
    Action(id="review.clear", title="Take the answer back", keys=("u",), context="review", hint="clear"),
    Action(id="review.accept_rest", title="Accept the rest", keys=("A",), context="review", hint="accept rest"),
    Action(id="review.reject_rest", title="Reject the rest", keys=("R",), context="review", hint="reject rest"),
    Action(
        id="review.apply",
        title="Send the answers",
        keys=("enter",),
        context="review",
        hint="apply",
    ),
    Action(id="hunk.save", title="Keep these lines", keys=("ctrl+s",), context="hunk", hint="keep"),
    Action(id="hunk.edit_externally", title="Write in $EDITOR", keys=("ctrl+g",), context="hunk", hint="editor"),
    Action(id="tools.next", title="Next run", keys=("j",), context="tools", hint="next run", show=True),
    Action(id="tools.previous", title="Previous run", keys=("k",), context="tools"),
    Action(
        id="tools.unfold",
        title="Unfold or fold the output",
        keys=("enter", "space"),
        context="tools",
        hint="unfold",
        show=True,
    ),
    Action(id="switcher.choose", title="Use this model", keys=("enter",), context="switcher", hint="switch", show=True),
    Action(
        id="switcher.leave", title="Leave it as it is", keys=("escape",), context="switcher", hint="leave", show=True
    ),
    Action(id="switcher.favourite", title="Favourite, or no longer", keys=("ctrl+s",), context="switcher"),
    Action(id="switcher.down", title="Next model", keys=("down",), context="switcher"),
    Action(id="switcher.up", title="Previous model", keys=("up",), context="switcher"),
    Action(id="switcher.page_down", title="A page down", keys=("pagedown",), context="switcher"),
    Action(id="switcher.page_up", title="A page up", keys=("pageup",), context="switcher"),
    Action(id="sessions.open", title="Open the session", keys=("enter",), context="sessions", hint="open", show=True),
    Action(
        id="sessions.switch_focus",
        title="Filter, or the keys of the list",
        keys=("tab",),
        context="sessions",
        hint="list",
    ),
    Action(id="sessions.rename", title="Give it a name", keys=("r",), context="sessions", hint="rename"),
    Action(id="sessions.remove", title="Remove it", keys=("d", "delete"), context="sessions", hint="remove"),
    Action(id="sessions.restore", title="Take the last removal back", keys=("u",), context="sessions", hint="undo"),
    Action(id="sessions.fork", title="Fork it, whole or at a prompt", keys=("f",), context="sessions", hint="fork"),
    Action(id="sessions.export", title="Export to a file", keys=("e",), context="sessions", hint="export"),
    Action(id="sessions.bring_in", title="Import a file", keys=("i",), context="sessions", hint="import"),
    Action(id="sessions.begin", title="A new session", keys=("n",), context="sessions", hint="new"),
    Action(id="sessions.filter", title="Filter and search", keys=("slash",), context="sessions", hint="search"),
    Action(id="sessions.leave", title="Back", keys=("escape",), context="sessions", hint="back", show=True),
    Action(id="sessions.down", title="Next session", keys=("down",), context="sessions"),
    Action(id="sessions.up", title="Previous session", keys=("up",), context="sessions"),
    Action(id="sessions.page_down", title="A page down", keys=("pagedown",), context="sessions"),
    Action(id="sessions.page_up", title="A page up", keys=("pageup",), context="sessions"),
)
"""Every action, in the order of the key help."""


@dataclass(frozen=True)
class ActionTable:
    """The actions with the keys of one person."""

    actions: tuple[Action, ...] = ACTIONS

    @classmethod
    def remapped(cls, keys: Mapping[str, Sequence[str]]) -> "ActionTable":
        """The table with other keys for some actions (``[keys]`` in the settings); no keys takes an action off them.

        Raises ``KeymapError`` for an unknown action, a key that no terminal sends, a key that is needed for
        typing, and two actions on one key.
        """
        known = {action.id: action for action in ACTIONS}
        for action_id in keys:
            if action_id not in known:
                raise KeymapError(_unknown_action(action_id, tuple(known)))
        changed = {
            action_id: replace(known[action_id], keys=tuple(_checked_key(known[action_id], key) for key in given))
            for action_id, given in keys.items()
        }
        table = cls(tuple(changed.get(action.id, action) for action in ACTIONS))
        for one, other in table.clashes():
            raise KeymapError(
                f'[keys]: {key_label(next(k for k in one.keys if k in other.keys))} is on both "{one.id}" and '
                f'"{other.id}", which work at the same time. Give one of them another key.'
            )
        return table

    def clashes(self) -> Iterator[tuple[Action, Action]]:
        """Pairs of actions that share a key and a place."""
        for one, other in combinations(self.actions, 2):
            if not set(one.keys).isdisjoint(other.keys) and _together(one.context, other.context):
                yield one, other

    @cached_property
    def _by_id(self) -> dict[str, Action]:
        return {action.id: action for action in self.actions}

    def __getitem__(self, action_id: str) -> Action:
        return self._by_id[action_id]

    def within(self, *contexts: Context) -> tuple[Action, ...]:
        """The actions of some contexts, in table order."""
        return tuple(action for action in self.actions if action.context in contexts)

    def keymap(self) -> dict[str, str]:
        """What ``App.set_keymap`` takes. An action without keys gets one that no keyboard sends."""
        return {action.id: ",".join(action.keys) or "f24" for action in self.actions if action != _DEFAULT[action.id]}

    @property
    def commands(self) -> tuple[Action, ...]:
        """The actions that have a slash command."""
        return tuple(action for action in self.actions if action.slash)

    def matching_commands(self, text: str) -> tuple[Action, ...]:
        """The slash commands a prompt may become: ``text`` is a slash and the beginning of a word, on one line."""
        if not text.startswith("/") or any(blank in text for blank in " \t\n"):
            return ()
        return tuple(action for action in self.commands if (action.slash or "").startswith(text[1:].lower()))

    def parse_command(self, text: str) -> tuple[Action, str] | None:
        """The action and argument of a slash command; None when the text is no known command."""
        word, _, argument = text.strip().partition(" ")
        action = next((action for action in self.commands if f"/{action.slash}" == word.lower()), None)
        return None if action is None else (action, argument.strip())


def bindings(context: Context) -> list[Binding]:
    """The bindings of a context, for the ``BINDINGS`` of the widget, screen or app that has it."""
    return [action.binding() for action in ACTIONS if action.context == context and action.keys]


_MODAL: frozenset[Context] = frozenset({"switcher", "sessions"})
_DEFAULT = {action.id: action for action in ACTIONS}


def _together(one: Context, other: Context) -> bool:
    """Whether two contexts can get the same key press. Nothing works beside a modal screen."""
    return (
        one == other
        or {one, other} == {"diff", "review"}
        or ("global" in (one, other) and _MODAL.isdisjoint((one, other)))
    )


def _checked_key(action: Action, key: str) -> str:
    """The key in Textual's own spelling. Raises ``KeymapError``."""
    try:
        return typing_free_key(key) if action.context in ("global", "prompt") else canonical_key(key)
    except KeyNameError as error:
        raise KeymapError(f'[keys] "{action.id}": {error}') from None


def _unknown_action(action_id: str, known: Sequence[str]) -> str:
    near = get_close_matches(action_id, known, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else "The key help (F1) names them all."
    return f'[keys]: there is no action "{action_id}". {hint}'
