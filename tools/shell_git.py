"""Which git commands only read: sub-command by sub-command, option by option.

Options that start a program (external diff, pagers, textconv), write a file, take settings or point to another
repository are in no table, and so ask.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .shell_options import Options, Parsed, parse_arguments
from .shell_words import Word

_GLOBAL = Options.parse(
    "-P -C@ --no-pager --no-optional-locks --literal-pathspecs --glob-pathspecs --icase-pathspecs"
    " --no-replace-objects --no-advice"
)
_ANY_GLOBAL_VALUE = frozenset(
    {"-c", "-C", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env", "--super-prefix"}
)

_DIFF = """-puszwbaBMCDRlWtmc -U: -S: -G: -O@ -X? --patch --no-patch --raw --patch-with-raw --patch-with-stat" "
--stat? --numstat --shortstat --dirstat? --cumulative --summary --name-only --name-status --submodule?
--color? --no-color --color-moved? --no-color-moved --color-moved-ws: --word-diff? --word-diff-regex:
--color-words? --no-renames --rename-empty --check --ws-error-highlight: --full-index --binary --abbrev?
--no-abbrev --break-rewrites? --find-renames? --find-copies? --find-copies-harder --irreversible-delete
--diff-filter: --pickaxe-all --pickaxe-regex --relative? --no-relative --text --ignore-cr-at-eol
--ignore-space-at-eol --ignore-space-change --ignore-all-space --ignore-blank-lines --ignore-matching-lines:
--inter-hunk-context: --function-context --exit-code --quiet --no-ext-diff --no-textconv
--ignore-submodules? --src-prefix: --dst-prefix: --no-prefix --default-prefix --line-prefix: --unified:
--minimal --patience --histogram --diff-algorithm: --anchored: --compact-summary --indent-heuristic
--no-indent-heuristic --output-indicator-new: --output-indicator-old: --output-indicator-context:
--ita-invisible-in-index --diff-merges: --no-diff-merges --combined-all-paths --dd --remerge-diff --cc
--find-object: --skip-to: --rotate-to:"""
_LOG = (
    _DIFF
    + """ -gEiFP -n: -L: --oneline --graph --no-graph --all --branches? --tags? --remotes? --glob: --exclude: --not
--decorate? --no-decorate --decorate-refs: --decorate-refs-exclude: --clear-decorations --source
--use-mailmap --mailmap --no-mailmap --log-size --max-count: --skip: --since: --after: --until: --before:
--since-as-filter: --author: --committer: --grep-reflog: --grep: --all-match --invert-grep
--regexp-ignore-case --basic-regexp --extended-regexp --fixed-strings --perl-regexp --remove-empty --merges
--no-merges --min-parents: --max-parents: --no-min-parents --no-max-parents --first-parent --bisect --reflog
--single-worktree --ignore-missing --cherry-mark --cherry-pick --left-only --right-only --cherry
--walk-reflogs --merge --boundary --simplify-by-decoration --show-pulls --full-history --dense --sparse
--simplify-merges --ancestry-path? --date-order --author-date-order --topo-order --reverse --no-walk?
--do-walk --format: --pretty? --abbrev-commit --no-abbrev-commit --encoding: --expand-tabs? --no-expand-tabs
--notes? --no-notes --show-notes? --relative-date --date: --parents --children --left-right
--show-linear-break? --follow --full-diff --stdin-no --no-standard-notes --numbered --summary --email
--count --objects --timestamp --header --disk-usage? --use-bitmap-index --quiet --exclude-hidden:"""
)

Check = Callable[[Parsed], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sub:
    """One sub-command. ``check`` says why further conditions do not hold."""

    options: Options
    check: Check | None = None
    numbers: bool = False


def _no_operands(parsed: Parsed) -> str:
    return "names something to make or change" if parsed.operands else ""


def _operands_with(*listing: str) -> Check:
    """Operands are patterns, not new names, only with one of these options."""

    def check(parsed: Parsed) -> str:
        listed = not parsed.operands or bool(set(parsed.given) & set(listing))
        return "" if listed else "names something to make or change"

    return check


def _first_is(*words: str, bare: bool = False) -> Check:
    """The first operand is one of these sub-commands of the sub-command."""

    def check(parsed: Parsed) -> str:
        first = parsed.operands[0].text if parsed.operands else None
        if first is None:
            return "" if bare and not parsed.operands else "may change something"
        return "" if first in words else f"runs {first}, which may change something"

    return check


def _config(parsed: Parsed) -> str:
    reading = {"--get", "--get-all", "--get-regexp", "--list", "-l", "--get-urlmatch", "--get-color", "--get-colorbool"}
    words = [word.text or "" for word in parsed.operands]
    if set(parsed.given) & reading:
        keys = words
    elif words[:1] in (["get"], ["list"]):
        keys = words[1:]
    elif len(words) == 1 and "." in words[0]:
        keys = words
    else:
        return "may change settings"
    return "may show a secret" if any(re.search(r"header|pass|token|secret|credential", k, re.I) for k in keys) else ""


def _symbolic_ref(parsed: Parsed) -> str:
    return "" if len(parsed.operands) == 1 else "points a name elsewhere"


def _at_most_one(parsed: Parsed) -> str:
    return "" if len(parsed.operands) <= 1 else "has more words than a reading form"


_LISTING = """-ailvrq --all --list --remotes --verbose --show-current --contains? --no-contains? --merged? --no-merged?
--points-at: --format: --sort: --column? --no-column --color? --no-color --abbrev? --no-abbrev --ignore-case
--omit-empty"""
_TABLE: dict[str, tuple[str, Check | None]] = {
    "log": (_LOG, None),
    "show": (_LOG, None),
    "whatchanged": (_LOG, None),
    "shortlog": (_LOG + " -sne -w: --group:", None),
    "rev-list": (_LOG, None),
    "reflog": (_LOG, _first_is("show", "list", "exists", "HEAD", bare=True)),
    "diff": (_DIFF + " --cached --staged --merge-base --no-index --base --ours --theirs -0123", None),
    "diff-tree": (_DIFF + " -r --root --no-commit-id --pretty? --format: --stdin-no --merge-base", None),
    "diff-index": (_DIFF + " --cached --merge-base", None),
    "diff-files": (_DIFF + " --base --ours --theirs", None),
    "range-diff": (_DIFF + " --creation-factor: --no-dual-color --left-only --right-only", None),
    "status": (
        "-sbuvz -u? --short --branch --show-stash --porcelain? --long --verbose --untracked-files?"
        " --ignore-submodules? --ignored? --column? --no-column --ahead-behind --no-ahead-behind --renames"
        " --no-renames --find-renames?",
        None,
    ),
    "blame": (
        "-bltfnspeweCM -L: -S@ --root --show-stats --date: --porcelain --line-porcelain --incremental --show-name"
        " --show-number --show-email --color-lines --color-by-age --abbrev: --ignore-rev: --first-parent --since:",
        None,
    ),
    "annotate": ("-bltfnspewCM -L: --date:", None),
    "grep": (
        "-IivwEFPGnlLzochqrWpa -e: -A: -B: -C: -m: -f@ --cached --no-index --untracked --recurse-submodules"
        " --text --ignore-case --word-regexp --invert-match --extended-regexp --basic-regexp --perl-regexp"
        " --fixed-strings --line-number --column --files-with-matches --name-only --files-without-match"
        " --null --only-matching --count --color? --no-color --break --heading --show-function --context:"
        " --after-context: --before-context: --function-context --max-count: --and --or --not --all-match"
        " --quiet --max-depth: --full-name --exclude-standard --no-exclude-standard",
        None,
    ),
    "ls-files": (
        "-cdomiskutvfz -x: -X@ --cached --deleted --others --modified --ignored --stage --killed --unmerged"
        " --directory --no-empty-directory --eol --deduplicate --exclude: --exclude-from@"
        " --exclude-per-directory: --exclude-standard --error-unmatch --with-tree: --full-name"
        " --recurse-submodules --abbrev? --debug --format: --sparse",
        None,
    ),
    "ls-tree": (
        "-drtlz --long --name-only --name-status --object-only --abbrev? --full-name --full-tree --format:",
        None,
    ),
    "cat-file": ("-tspe --batch-all-objects-no --allow-unknown-type", None),
    "rev-parse": (
        "-q --verify --quiet --short? --abbrev-ref? --symbolic --symbolic-full-name --all --branches?"
        " --tags? --remotes? --show-toplevel --show-prefix --show-cdup --git-dir --git-common-dir --git-path:"
        " --absolute-git-dir --is-inside-work-tree --is-inside-git-dir --is-bare-repository"
        " --is-shallow-repository --show-superproject-working-tree --show-object-format? --path-format:"
        " --revs-only --no-revs --flags --no-flags --default: --not --sq --since: --until: --local-env-vars"
        " --shared-index-path --show-ref-format",
        None,
    ),
    "describe": (
        "--dirty? --broken? --all --tags --contains --abbrev: --candidates: --exact-match --debug --long"
        " --match: --exclude: --always --first-parent",
        None,
    ),
    "name-rev": ("--tags --refs: --exclude: --all --name-only --no-undefined --always", None),
    "merge-base": ("-a --all --octopus --independent --is-ancestor --fork-point", None),
    "for-each-ref": (
        "--count: --sort: --format: --color? --points-at: --merged? --no-merged? --contains? --no-contains?"
        " --ignore-case --exclude: --omit-empty",
        None,
    ),
    "show-ref": (
        "-dsq --head --tags --heads --branches --dereference --hash? --verify --abbrev? --quiet --exists",
        None,
    ),
    "show-branch": (
        "-ar --all --remotes --current --topo-order --date-order --sparse --more: --list --independent"
        " --no-name --sha1-name --topics",
        None,
    ),
    "cherry": ("-v --abbrev?", None),
    "symbolic-ref": ("-q --quiet --short --recurse", _symbolic_ref),
    "check-ignore": ("-qvnz --quiet --verbose --non-matching --no-index", None),
    "check-attr": ("-az --all --cached --source:", None),
    "check-ref-format": ("--branch --normalize --allow-onelevel", None),
    "check-mailmap": ("", None),
    "count-objects": ("-vH --verbose --human-readable", None),
    "var": ("-l", _at_most_one),
    "version": ("--build-options", _no_operands),
    "branch": (
        _LISTING,
        _operands_with("--list", "-l", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at"),
    ),
    "tag": (
        "-l -n? --list --contains? --no-contains? --merged? --no-merged? --points-at: --format: --sort:"
        " --column? --no-column --color? --ignore-case --omit-empty -i",
        _operands_with("--list", "-l", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at", "-n"),
    ),
    "remote": ("-v --verbose --all --push", _first_is("get-url", bare=True)),
    "stash": (_LOG, _first_is("list", "show")),
    "worktree": ("-vz --porcelain --verbose", _first_is("list")),
    "submodule": ("-q --cached --recursive --quiet", _first_is("status", bare=True)),
    "notes": ("--ref:", _first_is("list", "show", bare=True)),
    "bisect": ("", _first_is("log")),
    "config": (
        "-lz --get --get-all --get-regexp --list --local --global --system --worktree --show-origin"
        " --show-scope --name-only --null --type: --bool --int --path --default: --includes --no-includes"
        " --all --regexp --get-urlmatch",
        _config,
    ),
    "sparse-checkout": ("", _first_is("list")),
    "lfs": ("-lsa --all --long --size --name-only", _first_is("ls-files", "status", "env", "version")),
}


_SUBS = {
    name: _Sub(
        options=Options.parse(table),
        check=check,
        numbers=name in ("log", "show", "shortlog", "rev-list", "whatchanged", "reflog", "stash"),
    )
    for name, (table, check) in _TABLE.items()
}
_RUNS_GPG = re.compile(r"%G")


def split_git(arguments: Sequence[Word]) -> tuple[list[Word], Word | None, list[Word]]:
    """The options of git itself, the sub-command, and what is its own."""
    before: list[Word] = []
    rest = list(arguments)
    while rest:
        text = rest[0].known
        if not text.startswith("-"):
            return before, rest[0], rest[1:]
        before.append(rest.pop(0))
        if text in _ANY_GLOBAL_VALUE and rest:
            before.append(rest.pop(0))
    return before, None, []


def git_reads(arguments: Sequence[Word]) -> tuple[str, list[Word]]:
    """Why a git command may do more than read ("" when it only reads), and the words that may name files."""
    before, sub, rest = split_git(arguments)
    options = parse_arguments(before, _GLOBAL)
    if options.wrong or options.operands:
        return options.wrong or "has an unknown option", []
    name = sub.text if sub is not None else None
    known = _SUBS.get(name or "")
    if known is None:
        return f"runs git {name or '…'}, which may change something or reach out", []
    parsed = parse_arguments(rest, known.options, numbers=known.numbers)
    why = parsed.wrong or (known.check(parsed) if known.check else "")
    if not why and any("\0" in value or _RUNS_GPG.search(value) for _, value in parsed.values):
        why = "has a value that is not known to be harmless"
    return why, [*options.paths, *parsed.paths, *parsed.operands]
