"""What a person's rules about ``read`` say of files: of each before its text is shown, of folders before a search.

The rules are gathered once and can then be asked about many files, from any thread.
"""

from collections.abc import Iterable

from .patterns import has_wildcards
from .rules import Effect, Rule
from .sensitive import Concern


class Withholding:
    """The rules about reading that are in force at one moment, in the order they are tried."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        reading = tuple(rule for rule in rules if rule.covers_tool("read"))
        self._rules = reading if any(rule.effect is not Effect.ALLOW for rule in reading) else ()

    def __bool__(self) -> bool:
        """Whether there is any rule that keeps a file back."""
        return bool(self._rules)

    def of(self, path: str, *, inside: bool = True) -> tuple[Concern, str] | None:
        """Why a file is kept back, None when it is not. A folder is when all below it is.

        ``path`` is relative to the workspace, absolute for files that are not ``inside``. A rule that denies comes
        first; of rules that allow and ask, the last one that speaks of the file counts.
        """
        speaking = [rule for rule in self._rules if rule.speaks_of(path, inside=inside)]
        denying = next((rule for rule in speaking if rule.effect is Effect.DENY), None)
        if denying is not None:
            return Concern.DENIED, f"a rule denies reading it: {denying} ({denying.origin})"
        if speaking and speaking[-1].effect is Effect.ASK:
            return Concern.ASKED, f"a rule asks before it is read: {speaking[-1]} ({speaking[-1].origin})"
        return None

    def below(self, folder: str) -> str:
        """The first rule that may keep something back in a folder of the workspace ("." is the whole), in words."""
        where = () if folder == "." else tuple(folder.split("/"))
        for rule in self._rules:
            start = _literal_start(rule.pattern)
            shared = min(len(start), len(where))
            if rule.effect is not Effect.ALLOW and start[:shared] == where[:shared]:
                return f"{rule.effect} {rule} ({rule.origin})"
        return ""


def _literal_start(pattern: str) -> tuple[str, ...]:
    """The names that every path of a pattern begins with."""
    names = pattern.removeprefix("./").split("/")
    end = next((number for number, name in enumerate(names) if has_wildcards(name)), len(names))
    return tuple(names[:end])
