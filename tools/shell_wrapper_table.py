"""Programs whose last arguments are another command, with the options they have of their own."""

from dataclasses import dataclass

from .shell_options import Options


@dataclass(frozen=True, slots=True)
class Wrapper:
    """``options`` of its own, the operands it takes before the command, and why it asks ("" when transparent)."""

    options: Options
    skip: int = 0
    why: str = ""


def _wrapper(table: str, skip: int = 0, why: str = "") -> Wrapper:
    return Wrapper(Options.parse(table), skip, why)


RUNS = "runs its arguments as a command"
WRAPPERS: dict[str, Wrapper] = {
    "timeout": _wrapper("-k: -s: -v --kill-after: --signal: --preserve-status --foreground --verbose", 1),
    "gtimeout": _wrapper("-k: -s: -v --kill-after: --signal: --preserve-status --foreground --verbose", 1),
    "nice": _wrapper("-n: --adjustment:"),
    "ionice": _wrapper("-c: -n: -t --class: --classdata: --ignore"),
    "nohup": _wrapper(""),
    "stdbuf": _wrapper("-i: -o: -e: --input: --output: --error:"),
    "time": _wrapper("-p"),
    "command": _wrapper("-p"),
    "chronic": _wrapper(""),
    "setsid": _wrapper("-cfw --ctty --fork --wait", why=RUNS),
    "builtin": _wrapper("", why=RUNS),
    "exec": _wrapper("-cl -a:", why="replaces the shell"),
    "coproc": _wrapper("", why=RUNS),
    "sudo": _wrapper(
        "-AbBEeHiKklnPSsVv -u: -g: -C: -D: -h: -p: -R: -r: -t: -T: -U: --user: --group: --preserve-env?",
        why="runs with more rights",
    ),
    "doas": _wrapper("-Lns -u: -C: -a:", why="runs with more rights"),
    "pkexec": _wrapper("--user: --disable-internal-agent --keep-cwd", why="runs with more rights"),
    "gosu": _wrapper("", 1, "runs with other rights"),
    "su-exec": _wrapper("", 1, "runs with other rights"),
    "run0": _wrapper("-u: --user: --group:", why="runs with more rights"),
    "strace": _wrapper("-fFcCdhiknqrtTvVwxyzZ -e: -o: -p: -s: -u: -E: -a: -I: -P: -O: -S: -X:", why=RUNS),
    "ltrace": _wrapper("-fcCiLSrtT -e: -o: -p: -s: -u: -n: -l: -a: -A:", why=RUNS),
    "chroot": _wrapper("--userspec: --groups: --skip-chdir", 1, RUNS),
    "unshare": _wrapper("-imnpuUCTfrc -R: -w: -S: -G:", why=RUNS),
    "nsenter": _wrapper("-amuinpCUTrwF -t: -S: -G:", why=RUNS),
    "taskset": _wrapper("-acp", 1, RUNS),
    "chrt": _wrapper("-abdefimoprRv -T: -P: -D:", 1, RUNS),
    "flock": _wrapper("-esxunoF -w: -E: --timeout:", 1, RUNS),
    "busybox": _wrapper("", why=RUNS),
    "toybox": _wrapper("", why=RUNS),
    "watch": _wrapper("-bcdegtwxprC -n: -q: --interval: --differences?", why=RUNS),
    "entr": _wrapper("-acdnprsz", why=RUNS),
    "unbuffer": _wrapper("-p", why=RUNS),
    "rlwrap": _wrapper("", why=RUNS),
    "caffeinate": _wrapper("-disum -t: -w:", why=RUNS),
    "systemd-run": _wrapper("-PtqdGrS -p: -u: -H: -M: -E: --unit: --property: --user --scope --pty --wait", why=RUNS),
    "start-stop-daemon": _wrapper("", why=RUNS),
    "proxychains": _wrapper("-q -f:", why=RUNS),
    "proxychains4": _wrapper("-q -f:", why=RUNS),
    "npx": _wrapper("-yq -p: --yes --package: --no-install", why="fetches and runs a package"),
    "bunx": _wrapper("", why="fetches and runs a package"),
    "uvx": _wrapper("--from: --with: -p: --python:", why="fetches and runs a package"),
    "pipx": _wrapper("", 1, "fetches and runs a package"),
    "parallel": _wrapper("-kqtvXmn0 -j: -N: -I: -a: --jobs: --bar", why=RUNS),
    "xargs": _wrapper(
        "-0prtxo -a: -d: -E: -e? -I: -i? -L: -l? -n: -P: -s: -J: -R: -S: --null --delimiter: --max-args:"
        " --max-procs: --no-run-if-empty --replace? --max-lines? --arg-file: --interactive --verbose --exit",
        why="runs a command on what it reads",
    ),
    "wsl": _wrapper("-d: -u: -e", why=RUNS),
    "firejail": _wrapper("", why=RUNS),
    "bwrap": _wrapper("", why=RUNS),
    "dbus-run-session": _wrapper("", why=RUNS),
    "xvfb-run": _wrapper("-a -n: -s:", why=RUNS),
}
TWO_WORDS = {
    ("uv", "run"),
    ("poetry", "run"),
    ("pipenv", "run"),
    ("bundle", "exec"),
    ("npm", "exec"),
    ("pnpm", "exec"),
    ("pnpm", "dlx"),
    ("yarn", "dlx"),
    ("yarn", "exec"),
    ("conda", "run"),
    ("direnv", "exec"),
    ("rustup", "run"),
    ("mise", "exec"),
    ("asdf", "exec"),
    ("hatch", "run"),
    ("pdm", "run"),
    ("rye", "run"),
    ("nix-shell", "--run"),
}
