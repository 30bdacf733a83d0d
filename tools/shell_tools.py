"""Commands that only read, with every option of theirs that only reads.

One line each: the names, what the operands are, the most operands there may be, and the options. A command that is
not here asks, and so does an option that is not in its line. Letters and words are those of the GNU and BSD manuals.
"""

from dataclasses import dataclass

from .shell_commands import names_in
from .shell_options import Operands, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTool:
    """How to judge one command. ``open_ended``: no option of it, known or not, could do harm."""

    options: Options
    operands: Operands
    most: int = 10_000
    open_ended: bool = False
    numbers: bool = False


_LS = """-aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1 -I: -w: -T: --all --almost-all --author --escape --block-size:
--ignore-backups --color? --directory --dired --classify? --file-type --format: --full-time
--group-directories-first --no-group --human-readable --si --dereference-command-line --dereference --hide:
--hyperlink? --indicator-style: --inode --ignore: --kibibytes --literal --numeric-uid-gid
--hide-control-chars --show-control-chars --quote-name --quoting-style: --reverse --recursive --size --sort:
--time: --time-style: --tabsize: --width: --context --zero"""
_GREP = """-EFGPivwxcLlqsbHhnoTZUzrRyI -e: -f@ -m: -A: -B: -C: -d: -D: --regexp: --file@ --ignore-case" "
--no-ignore-case --invert-match --word-regexp --line-regexp --count --color? --colour? --files-without-match
--files-with-matches --max-count: --only-matching --quiet --silent --no-messages --byte-offset
--with-filename --no-filename --label: --line-number --initial-tab --null --after-context: --before-context:
--context: --text --binary-files: --devices: --directories: --exclude: --exclude-from@ --exclude-dir:
--include: --recursive --dereference-recursive --line-buffered --binary --null-data --extended-regexp
--fixed-strings --basic-regexp --perl-regexp -a"""
_RG = """-aFPUiSsvwxcloHInNpqLhu0. -e: -f@ -A: -B: -C: -m: -g: -t: -T: -d: -M: -r: -E: -j: --after-context:
--before-context: --context: --count --count-matches --crlf --no-crlf --color: --colors: --column
--no-column --context-separator: --debug --dfa-size-limit: --encoding: --engine: --field-context-separator:
--field-match-separator: --file@ --files --files-with-matches --files-without-match --fixed-strings --follow
--no-follow --glob: --glob-case-insensitive --heading --no-heading --hidden --no-hidden --iglob:
--ignore-case --ignore-file@ --ignore-file-case-insensitive --include-zero --invert-match --json
--line-buffered --line-number --no-line-number --line-regexp --max-columns: --max-columns-preview
--max-count: --max-depth: --max-filesize: --mmap --no-mmap --multiline --multiline-dotall --no-config
--no-ignore --no-ignore-dot --no-ignore-exclude --no-ignore-files --no-ignore-global --no-ignore-messages
--no-ignore-parent --no-ignore-vcs --no-messages --no-require-git --no-unicode --null --null-data
--one-file-system --only-matching --passthru --path-separator: --pcre2 --pcre2-version --pretty --quiet
--regex-size-limit: --regexp: --replace: --smart-case --sort: --sortr: --case-sensitive --stats
--stop-on-nonmatch --text --threads: --trim --type: --type-not: --type-add: --type-clear: --type-list
--unrestricted --vimgrep --with-filename --no-filename --word-regexp --byte-offset --auto-hybrid-regex"""
_DIFF = """-abBcdeEilnNpqrstTuwyZ -C: -U: -F: -I: -L: -W: -x: -X@ --normal --brief --report-identical-files" "
--context? --unified? --ed --rcs --side-by-side --width: --left-column --suppress-common-lines
--show-c-function --show-function-line: --label: --expand-tabs --initial-tab --tabsize:
--suppress-blank-empty --recursive --no-dereference --new-file --unidirectional-new-file
--ignore-file-name-case --exclude: --exclude-from@ --starting-file: --ignore-case --ignore-tab-expansion
--ignore-trailing-space --ignore-space-change --ignore-all-space --ignore-blank-lines
--ignore-matching-lines: --text --strip-trailing-cr --minimal --speed-large-files --color? --horizon-lines:"""
_FD = """-HIusigaL0p -e: -t: -d: -E: -S: --hidden --no-ignore --no-ignore-vcs --unrestricted --case-sensitive
--ignore-case --glob --regex --fixed-strings --absolute-path --list-details --follow --full-path --print0
--max-depth: --min-depth: --exact-depth: --exclude: --prune --type: --extension: --size: --changed-within:
--changed-before: --color: --max-results: --quiet --show-errors --base-directory@ --path-separator:
--strip-cwd-prefix --one-file-system"""
_SORT = """-bdfgiMhnRrVcCmsuz -k: -t: -S: --ignore-leading-blanks --dictionary-order --ignore-case
--general-numeric-sort --ignore-nonprinting --month-sort --human-numeric-sort --numeric-sort --random-sort
--reverse --sort: --version-sort --check? --merge --key: --stable --field-separator: --unique
--zero-terminated --parallel: --debug"""
_SUM = "-bcztw --tag --text --binary --zero --check --ignore-missing --quiet --status --strict --warn -a:"
" --algorithm:"
_TREE = """-adfilxpsughDqNQFrtvcUACSnJX -L: -P: -I: -H: -T: --noreport --charset: --filelimit: --prune --dirsfirst
--filesfirst --matchdirs --inodes --device --sort: --du --si --timefmt: --gitignore --ignore-case
--metafirst --compress:"""
_PS = """-AadefFjlMnNTwWyLHZ -o: -O: -p: -q: -u: -U: -g: -G: -t: -C: -s: --no-headers --no-heading --headers --sort:
--forest --pid: --ppid: --user: --User: --format: --cols: --columns: --rows: --lines: --width: --deselect
--cumulative"""
_JQ = """-cCMnrRjsaeS --compact-output --color-output --monochrome-output --null-input --raw-input --raw-output
--join-output --raw-output0 --slurp --ascii-output --exit-status --sort-keys --tab --indent: --stream
--stream-errors --seq --unbuffered --args --jsonargs"""
_XXD = "-abCdeEipu -c: -g: -l: -o: -s: -R:"
_OD = "-abcdfilosxvhDOXeFHILBx -A: -j: -N: -S: -t: -w: --address-radix: --skip-bytes: --read-bytes:"
" --strings? --format: --output-duplicates --width? --endian: --traditional"

_LINES: dict[str, tuple[str, Operands, int, str]] = {
    "ls dir vdir": ("og", Operands.PATHS, 0, _LS),
    "exa eza lsd": (
        "",
        Operands.PATHS,
        0,
        "-1GlRxaAdFhHgibBnSsUumTrD -L: -I: -t: --tree --all --long --grid --recurse --icons? --git --header"
        " --level: --sort: --reverse --group-directories-first --color? --oneline --no-icons --git-ignore"
        " --time-style: --only-dirs",
    ),
    "cat": (
        "og",
        Operands.PATHS,
        0,
        "-AbeEnstTuv --show-all --number-nonblank --show-ends --number --squeeze-blank --show-tabs --show-nonprinting",
    ),
    "bat batcat": (
        "",
        Operands.PATHS,
        0,
        "-Apn -l: -r: -H: --plain --number --show-all --language: --line-range: --highlight-line: --style: --color:"
        " --decorations: --theme: --tabs: --wrap: --terminal-width:",
    ),
    "head": ("ogn", Operands.PATHS, 0, "-qvz -n: -c: --lines: --bytes: --quiet --silent --verbose --zero-terminated"),
    "tail": (
        "ogn",
        Operands.PATHS,
        0,
        "-fFqrvz -n: -c: -s: -b: --lines: --bytes: --follow? --pid: --retry --quiet --silent --verbose"
        " --sleep-interval: --max-unchanged-stats: --zero-terminated",
    ),
    "wc": ("og", Operands.PATHS, 0, "-clmLw --bytes --chars --lines --max-line-length --words --total: --files0-from@"),
    "nl": ("og", Operands.PATHS, 0, "-p -b: -d: -f: -h: -i: -l: -n: -s: -v: -w: --body-numbering: --number-width:"),
    "tac": ("og", Operands.PATHS, 0, "-br -s: --before --regex --separator:"),
    "rev": ("og", Operands.PATHS, 0, "-0 --zero"),
    "fold": ("og", Operands.PATHS, 0, "-bcs -w: --bytes --spaces --width: --characters"),
    "fmt": (
        "ogn",
        Operands.PATHS,
        0,
        "-cstu -p: -w: -g: --crown-margin --prefix: --split-only --uniform-spacing --width:",
    ),
    "pr": ("ogn", Operands.PATHS, 0, "-acdfFJmrtTv -D: -e? -h: -i? -l: -n? -N: -o: -s? -S? -w: -W:"),
    "expand unexpand": ("og", Operands.PATHS, 0, "-ai -t: --all --initial --tabs: --first-only"),
    "column": (
        "og",
        Operands.PATHS,
        0,
        "-tenxJLs -c: -s: -o: -N: -R: -T: -W: -H: -O: -l: --table --separator: --output-separator: --json"
        " --table-columns: --table-right: --fillrows --columns: --output-width:",
    ),
    "paste": ("og", Operands.PATHS, 0, "-sz -d: --serial --delimiters: --zero-terminated"),
    "join": (
        "og",
        Operands.PATHS,
        2,
        "-iz -a: -e: -j: -o: -t: -v: -1: -2: --ignore-case --check-order --nocheck-order --header --zero-terminated",
    ),
    "comm": (
        "og",
        Operands.PATHS,
        2,
        "-123iz --check-order --nocheck-order --output-delimiter: --total --zero-terminated",
    ),
    "cmp": (
        "og",
        Operands.PATHS,
        4,
        "-bls -i: -n: --print-bytes --ignore-initial: --verbose --bytes: --quiet --silent",
    ),
    "cut": (
        "og",
        Operands.PATHS,
        0,
        "-nsz -b: -c: -d: -f: -w --bytes: --characters: --delimiter: --fields: --complement --only-delimited"
        " --output-delimiter: --zero-terminated",
    ),
    "tr": ("", Operands.TEXTS, 2, "-cCdst --complement --delete --squeeze-repeats --truncate-set1"),
    "diff": ("", Operands.PATHS, 2, _DIFF),
    "sort": ("", Operands.PATHS, 0, _SORT),
    "uniq": (
        "n",
        Operands.PATHS,
        1,
        "-cdDiuz -f: -s: -w: --count --repeated --all-repeated? --skip-fields: --group? --ignore-case --skip-chars:"
        " --unique --zero-terminated --check-chars:",
    ),
    "grep egrep fgrep zgrep": ("n", Operands.PATTERN, 0, _GREP),
    "rg": ("n", Operands.PATTERN, 0, _RG),
    "fd fdfind": ("n", Operands.PATTERN, 0, _FD),
    "file": (
        "",
        Operands.PATHS,
        0,
        "-bdEhiIkLlNnprsv0 -F: -e: --brief --mime --mime-type --mime-encoding --no-dereference --dereference"
        " --keep-going --extension --separator: --print0 --raw --special-files --exclude:",
    ),
    "stat": (
        "og",
        Operands.PATHS,
        0,
        "-FfLlnqrstxH -c: -t --dereference --file-system --format: --printf: --terse --cached:",
    ),
    "du": (
        "og",
        Operands.PATHS,
        0,
        "-0abcDHhklLmPsSx -B: -d: -t: -I: -X@ --all --apparent-size --block-size: --bytes --total"
        " --dereference-args --max-depth: --human-readable --inodes --count-links --dereference"
        " --no-dereference --separate-dirs --si --summarize --threshold: --time? --time-style: --exclude:"
        " --exclude-from@ --one-file-system --null",
    ),
    "df": (
        "g",
        Operands.PATHS,
        0,
        "-aBhHiklmPTv -t: -x: --all --block-size: --human-readable --si --inodes --local --portability --type:"
        " --print-type --exclude-type: --output? --total",
    ),
    "md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum shasum md5 cksum sum": (
        "og",
        Operands.PATHS,
        0,
        _SUM + " -rs -p",
    ),
    "base64 base32 basenc": (
        "",
        Operands.PATHS,
        1,
        "-di -w: --decode --ignore-garbage --wrap: --base64 --base64url --base32 --base16",
    ),
    "od hexdump hd": ("", Operands.PATHS, 0, _OD + " -C -n: -e:"),
    "xxd": ("", Operands.PATHS, 1, _XXD),
    "strings": ("og", Operands.PATHS, 0, "-afow -n: -e: -t: -s: --all --bytes: --radix: --encoding: --print-file-name"),
    "readlink realpath": (
        "og",
        Operands.PATHS,
        0,
        "-efmnqsvzLPEe --canonicalize --canonicalize-existing --canonicalize-missing --no-newline --quiet"
        " --verbose --zero --logical --physical --strip --no-symlinks --relative-to: --relative-base:",
    ),
    "basename": ("", Operands.TEXTS, 0, "-az -s: --multiple --suffix: --zero"),
    "dirname": ("", Operands.TEXTS, 0, "-z --zero"),
    "tree": ("", Operands.PATHS, 0, _TREE),
    "seq": ("n", Operands.TEXTS, 3, "-w -f: -s: -t: --format: --separator: --equal-width"),
    "expr": ("o", Operands.TEXTS, 0, ""),
    "factor": ("", Operands.TEXTS, 0, "-h --exponents"),
    "numfmt": (
        "",
        Operands.TEXTS,
        0,
        "-z -d: --to: --from: --to-unit: --from-unit: --suffix: --padding: --format: --field: --header?"
        " --grouping --round: --invalid: --delimiter: --zero-terminated",
    ),
    "sleep": ("", Operands.TEXTS, 1, ""),
    "true false :": ("o", Operands.TEXTS, 0, ""),
    "pwd": ("", Operands.NONE, 0, "-LP --logical --physical"),
    "whoami logname arch nproc tty": ("", Operands.NONE, 0, "-as --all --ignore: --silent --quiet"),
    "uptime": ("", Operands.NONE, 0, "-ps --pretty --since"),
    "id groups": ("", Operands.TEXTS, 1, "-agGnruzZ --group --groups --name --real --user --zero --context"),
    "who w users": ("", Operands.NONE, 0, "-abdHlmpqrstTuwhfi --all --boot --heading --count --short --no-header"),
    "uname": (
        "",
        Operands.NONE,
        0,
        "-asnrvmpio --all --kernel-name --nodename --kernel-release --kernel-version --machine --processor"
        " --hardware-platform --operating-system",
    ),
    "hostname": (
        "",
        Operands.NONE,
        0,
        "-aAdfiIsy --alias --domain --fqdn --long --short --all-ip-addresses --ip-address",
    ),
    "free": ("", Operands.NONE, 0, "-bkmghltvw --bytes --kibi --mebi --gibi --human --si --lohi --total --wide"),
    "lscpu lsblk lsmod": ("", Operands.NONE, 0, "-aeJpfbdilmnrPStO --all --json --fs --bytes --list --output-all"),
    "locale": ("", Operands.TEXTS, 0, "-akcmv --all-locales --charmaps --category-name --keyword-name"),
    "cal ncal": ("", Operands.TEXTS, 3, "-13yjmMshwbeo -A: -B: -m:"),
    "which whereis": ("o", Operands.TEXTS, 0, "-asbm --all"),
    "type": ("o", Operands.TEXTS, 0, "-afptP"),
    "ps": ("", Operands.TEXTS, 1, _PS),
    "jq": ("", Operands.PATTERN, 0, _JQ),
    "less more": (
        "",
        Operands.PATHS,
        0,
        "-ENRSXFMQiIgnsrqeG --quit-if-one-screen --no-init --chop-long-lines --LINE-NUMBERS",
    ),
    "man": ("", Operands.TEXTS, 2, "-afkw --all --whatis --apropos --where --path"),
    "zcat gzcat bzcat xzcat zstdcat": ("", Operands.PATHS, 0, "-fv"),
    "read": ("", Operands.TEXTS, 0, "-rse -d: -n: -N: -t: -p:"),
    "for case break continue": ("o", Operands.TEXTS, 0, ""),
    "tokei cloc scc": ("", Operands.PATHS, 0, "--exclude-dir: --include-lang: --by-file --quiet --json --files"),
    "getconf": ("", Operands.TEXTS, 2, "-a"),
    "dpkg": ("", Operands.TEXTS, 0, "-lLsS --list --listfiles --status --search --print-architecture"),
    "pathchk": ("", Operands.TEXTS, 0, "-pP"),
    "tsort": ("", Operands.PATHS, 1, ""),
    "nm size objdump readelf": ("", Operands.PATHS, 0, "-aACDghlnrsStuwWxd --demangle --dynamic --headers"),
}
"""Marks: ``o`` an unknown word does no harm, ``g`` a file-name pattern may come first, ``n`` takes ``-5``."""


def _table() -> dict[str, ReadTool]:
    tools: dict[str, ReadTool] = {}
    for names, (marks, operands, most, options) in _LINES.items():
        tool = ReadTool(
            options=Options.parse(options),
            operands=operands,
            most=most or 10_000,
            open_ended="o" in marks,
            numbers="n" in marks,
        )
        tools |= dict.fromkeys(names.split(), tool)
    return tools


READ_TOOLS = _table()

VERSION_TOOLS = names_in(
    "python python3 python2 node nodejs npm ruby perl php lua java javac gcc g++ cc c++ clang clang++ make"
    " cmake ninja git bash zsh sh dash docker podman kubectl terraform gh sqlite3 psql mysql redis-cli ssh"
    " curl wget openssl pip pip3 pipx poetry uv ruff mypy black ghc swift kotlin scala dotnet R julia ffmpeg"
    " pandoc vim nvim emacs tmux gdb lldb valgrind strace awk gawk sed grep tar gzip zip rsync jq rg find ls"
    " cat tree xargs"
)
"""Programs that answer a question for their version without reading anything of the folder they run in."""
VERSION_WORDS: dict[str, frozenset[str]] = {
    "--version": VERSION_TOOLS,
    "-V": names_in("python python3 python2 pip pip3 ssh tmux"),
    "-v": names_in("node nodejs npm ruby perl php"),
    "-version": frozenset({"java", "javac"}),
}
