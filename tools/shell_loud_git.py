"""Git commands that throw away what may not come back, here or on a server."""

import re
from collections.abc import Callable

from .shell_commands import Simple, has_option, operands
from .shell_git import split_git
from .shell_targets import Targets


def destroys(simple: Simple, targets: Targets) -> str:
    """Why a git command destroys something, or plants a command; "" when it does not."""
    _, sub, rest = split_git(simple.arguments)
    if sub is None or sub.text is None:
        return ""
    own = Simple(words=(sub, *rest), folders=simple.folders, extra_arguments=simple.extra_arguments)
    texts = own.texts()
    named = [word.known for word in operands(own)]
    check = _GIT.get(sub.text)
    if check is not None and check(own, texts, named):
        return f"git {sub.text} destroys what may not be recoverable"
    removes = sub.text in ("rm", "clean", "checkout", "restore") and has_option(own, "rf", "--force")
    if removes and any(targets.wide(word, own) for word in operands(own)):
        return "deletes more than a part of the workspace"
    hooks = re.compile(
        r"core\.(?:hookspath|fsmonitor|sshcommand|editor|pager)|alias\..*|.*\.(?:textconv|process|smudge|clean|program|helper|command|cmd|driver)|diff\.external",
        re.I,
    )
    if sub.text == "config" and "--get" not in texts and len(named) > 1 and hooks.fullmatch(named[0]):
        return "plants a command that git runs later"
    return ""


_WIDE_PATHS = frozenset({".", "./", ":/", "*", "./*", "..", ":/*", "/", "**", ":", ":(top)", ":(top)."})
_GitCheck = Callable[[Simple, list[str], list[str]], bool]
_GIT: dict[str, _GitCheck] = {
    "push": lambda s, t, n: (
        has_option(s, "fd", "--force", "--force-with-lease", "--force-if-includes", "--mirror", "--delete", "--prune")
        or any(text.startswith("--force-with-lease") for text in t)
        or any(text.startswith(("+", ":")) and len(text) > 1 for text in n)
    ),
    "reset": lambda s, t, n: has_option(s, "", "--hard", "--merge", "--keep"),
    "clean": lambda s, t, n: has_option(s, "fxX", "--force") and not has_option(s, "n", "--dry-run"),
    "checkout": lambda s, t, n: has_option(s, "f", "--force") or bool(_WIDE_PATHS & set(n)) or has_option(s, "B"),
    "switch": lambda s, t, n: has_option(s, "fC", "--force", "--discard-changes", "--force-create"),
    "restore": lambda s, t, n: bool(_WIDE_PATHS & set(n)) and not ("--staged" in t and "--worktree" not in t),
    "stash": lambda s, t, n: bool({"drop", "clear"} & set(n[:1])),
    "reflog": lambda s, t, n: bool({"expire", "delete"} & set(n[:1])),
    "gc": lambda s, t, n: any(text.startswith("--prune") for text in t) or "--aggressive" in t,
    "prune": lambda s, t, n: not has_option(s, "n", "--dry-run"),
    "filter-branch": lambda s, t, n: True,
    "filter-repo": lambda s, t, n: True,
    "replace": lambda s, t, n: bool(n),
    "worktree": lambda s, t, n: n[:1] == ["remove"] and has_option(s, "f", "--force"),
    "branch": lambda s, t, n: (
        has_option(s, "DM", "--force") or (has_option(s, "d", "--delete") and has_option(s, "f", "--force"))
    ),
    "tag": lambda s, t, n: has_option(s, "d", "--delete"),
    "update-ref": lambda s, t, n: has_option(s, "d", "--stdin") or "-d" in t,
    "submodule": lambda s, t, n: n[:1] == ["deinit"] and has_option(s, "f", "--force", "--all"),
    "remote": lambda s, t, n: bool({"remove", "rm", "prune"} & set(n[:1])),
    "lfs": lambda s, t, n: n[:1] == ["prune"],
    "read-tree": lambda s, t, n: "--reset" in t,
    "notes": lambda s, t, n: n[:1] == ["prune"],
    "rm": lambda s, t, n: bool(_WIDE_PATHS & set(n)),
}
