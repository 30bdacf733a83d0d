"""Commands that can do lasting harm: what must be asked loudly, with the word a person types to let it happen.

Everything is told from the parsed commands: one by one here, from how they feed each other in ``shell_flow``.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .shell_commands import Simple, has_option, names_in, operands
from .shell_loud_git import destroys
from .shell_loud_services import SERVICE_CHECKS, harms_service
from .shell_targets import Targets, device, network_device, written
from .shell_words import Word
from .shell_wrappers import PRIVILEGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Loud:
    """Why a line must be asked loudly. ``confirm`` is what a person has to type."""

    why: str
    confirm: str


_ALWAYS: dict[str, str] = {
    **dict.fromkeys(
        names_in(
            "mkfs mke2fs mkswap wipefs fdisk sfdisk sgdisk gdisk cfdisk parted blkdiscard hdparm badblocks"
            " cryptsetup lvremove vgremove pvremove pvcreate mdadm zpool zfs dmsetup nvme sg_format tune2fs"
            " debugfs fsfreeze diskpart format format.com diskutil newfs btrfs xfs_repair flashrom dban nwipe"
            " scrub"
        ),
        "can erase a disk",
    ),
    **dict.fromkeys(names_in("shred srm wipe unlink-all sfill sswap"), "erases files beyond recovery"),
    **dict.fromkeys(
        names_in("halt poweroff reboot shutdown telinit kexec Stop-Computer Restart-Computer"), "stops the machine"
    ),
    **dict.fromkeys(
        names_in(
            "passwd chpasswd usermod useradd adduser userdel deluser groupmod groupadd gpasswd visudo vipw"
            " vigr chsh newusers setcap setenforce modprobe insmod rmmod pivot_root update-alternatives"
            " dpkg-divert visudo authselect spctl csrutil dscl nvram kextload bcdedit takeown icacls"
        ),
        "changes who may do what on this machine",
    ),
    **dict.fromkeys(names_in("iptables ip6tables nft ufw firewall-cmd pfctl ebtables ipset"), "changes the firewall"),
    **dict.fromkeys(
        names_in("batch schtasks schtasks.exe launchctl ssh-copy-id update-rc.d chkconfig"),
        "plants something that runs later",
    ),
    **dict.fromkeys(names_in("dropdb dropuser"), "drops a database"),
    **dict.fromkeys(
        names_in("ngrok localtunnel cloudflared chisel frpc bore serveo socat"), "opens a way in from outside"
    ),
    **dict.fromkeys(
        names_in(
            "iex Invoke-Expression mshta mshta.exe regsvr32 rundll32 certutil certutil.exe bitsadmin wmic vssadmin"
        ),
        "runs or fetches code",
    ),
    **dict.fromkeys(names_in("Remove-Item Clear-Content Format-Volume Clear-Disk"), "deletes"),
    **dict.fromkeys(PRIVILEGE, "runs with more rights"),
    "fork_bomb": "exhausts the machine",
}
_WINDOWS = {name.casefold(): why for name, why in _ALWAYS.items() if "-" in name or name == "iex"}
"""Names that are the same in any letter case."""
_RIGHTS = re.compile(
    r"[0-7]*(?:777|000|666)|[246][0-7]{3}|[augo]*\+[rwx]*s[rwxt]*|(?:a|ugo|o)?\+(?:rwx|w|rw)|(?:a|ugo)?[-=](?:rwx)?|o\+w.*|a=rwx|ugo=rwx"
)
_SETUID = re.compile(r"[2467][0-7]{3}|[augo]*\+[rwx]*s[rwxt]*|[ug]=[rwx]*s.*")
_RECURSIVE = re.compile(r"-[a-zA-Z]*[rR][a-zA-Z]*|--recursive|/[sS]|-Recurse", re.IGNORECASE)


def loud(simple: Simple, targets: Targets) -> Loud | None:
    """Why one command must be asked loudly; None when an ordinary question will do."""
    name = simple.name
    for word in written(simple):
        if why := _writing(word, simple, targets):
            return Loud(why=why, confirm=name or "write")
    if not name:
        return None
    base = name.removesuffix(".exe")
    family = "mkfs" if base.startswith(("mkfs.", "newfs_")) else base
    why = _ALWAYS.get(family) or _WINDOWS.get(base.casefold(), "")
    check = _CHECKS.get(base)
    if not why and check is not None:
        why = check(simple, targets)
    why = why or harms_service(simple, base)
    return Loud(why=why, confirm=base) if why else None


def _writing(word: Word, simple: Simple, targets: Targets) -> str:
    for place in targets.places(word, simple):
        if network_device(place):
            return "sends to the network"
        if device(place):
            return "writes to a device"
    return "plants something that runs later, or changes the system" if targets.plants(word, simple) else ""


def _rm(simple: Simple, targets: Targets) -> str:
    recursive, force = has_option(simple, "rR", "--recursive"), has_option(simple, "f", "--force")
    if "--no-preserve-root" in simple.texts():
        return "deletes the root folder"
    if simple.extra_arguments and recursive:
        return "deletes whole folders that are not known before it runs"
    for word in operands(simple):
        if targets.wide(word, simple) and (recursive or force or word.glob):
            return "deletes more than a part of the workspace"
        elsewhere = not all(targets.inside(place) for place in targets.places(word, simple))
        if targets.system(word, simple) or (elsewhere and targets.secret(word, simple)):
            return "deletes files of the system or of your account"
        if recursive and targets.apart(word, simple):
            return "deletes a whole folder outside the workspace"
        if recursive and any(re.search(r"(?:^|/)\.git(?:/|$)", place) for place in targets.places(word, simple)):
            return "deletes the history"
    return ""


def _move(simple: Simple, targets: Targets) -> str:
    named = operands(simple)
    if named and any(place.startswith("/dev/null") for place in targets.places(named[-1], simple)):
        return "moves files into nothing"
    sources = named[:-1]
    wide = any(targets.wide(word, simple) or targets.system(word, simple) for word in sources)
    return "moves more than a part of the workspace" if wide else ""


def _dd(simple: Simple, _targets: Targets) -> str:
    return "writes raw data" if any(text.startswith("of=") for text in simple.texts()) else ""


def _find(simple: Simple, targets: Targets) -> str:
    texts = simple.texts()
    if "-delete" in texts:
        return "deletes whatever it finds"
    programs = {text.rpartition("/")[2] for text in texts}
    removes = programs & {"rm", "unlink", "shred", "truncate", "mv", "chmod", "chown"}
    executes = {"-exec", "-execdir", "-x", "-X"} & set(texts)
    roots = list(itertools.takewhile(lambda word: not word.known.startswith(("-", "(", "!")), simple.arguments))
    outside = any(not targets.inside(place) for root in roots for place in targets.places(root, simple))
    return "changes whatever it finds outside of the workspace" if removes and executes and outside else ""


def _chmod(simple: Simple, targets: Targets) -> str:
    named = operands(simple)
    dashed = [word for word in simple.arguments if re.fullmatch(r"-[rwx]+", word.known)]
    if not named and not dashed:
        return ""
    modes = [word.known for word in (named[:1] + dashed)]
    rest = named if dashed or simple.name in ("chattr", "setfacl", "chflags") else named[1:]
    if simple.name == "chmod" and any(_SETUID.fullmatch(mode) for mode in modes):
        return "lets a program run as its owner"
    recursive = has_option(simple, "R", "--recursive")
    if (
        recursive
        and simple.name == "chmod"
        and any(_RIGHTS.fullmatch(part) for mode in modes for part in mode.split(","))
    ):
        return "opens or closes whole folders"
    if any({"/", targets.home} & set(targets.places(word, simple)) for word in rest):
        return "changes the rights of everything, or of your account"
    if any(targets.system(word, simple) or (recursive and targets.wide(word, simple)) for word in rest):
        return "changes the rights of the system or of more than a part of the workspace"
    return ""


def _kill(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    numbers = [text for text in texts[1:] if re.fullmatch(r"-?\d+", text)] or texts[-1:]
    if any(text in ("-1", "1", "0") for text in numbers) and len(texts) > (numbers[-1] not in ("-1", "1", "0")):
        return "stops every program" if texts != ["-1"] or simple.name == "kill" else ""
    return (
        "stops every program of a person"
        if simple.name in ("pkill", "killall", "killall5")
        and (
            has_option(simple, "u", "--euid", "--user")
            or any(text in (".", ".*", "") for text in texts)
            or simple.name == "killall5"
        )
        else ""
    )


def _mount(simple: Simple, _targets: Targets) -> str:
    return "changes what is mounted" if operands(simple) or has_option(simple, "a", "--all") else ""


def _sysctl(simple: Simple, _targets: Targets) -> str:
    changes = has_option(simple, "wp", "--write", "--load", "--system") or any("=" in text for text in simple.texts())
    return "changes the kernel" if changes else ""


def _systemctl(simple: Simple, _targets: Targets) -> str:
    words = {
        "poweroff",
        "reboot",
        "halt",
        "rescue",
        "emergency",
        "isolate",
        "kexec",
        "suspend",
        "hibernate",
        "enable",
        "link",
    }
    words |= {"mask", "disable", "edit", "set-default", "stop", "preset", "revert", "enable-linger"}
    return "changes what runs on this machine" if words & set(simple.texts()) else ""


def _init(simple: Simple, _targets: Targets) -> str:
    return "stops the machine" if set(simple.texts()) & {"0", "1", "6", "s", "S"} else ""


def _crontab(simple: Simple, _targets: Targets) -> str:
    looks = bool(simple.arguments) and set(simple.texts()) <= {"-l", "-e"}
    reads_input = bool(simple.feeds) or any(redirect.operator == "<" for redirect in simple.redirects)
    return "" if looks or not (simple.arguments or reads_input) else "plants or removes what runs later"


def _at(simple: Simple, _targets: Targets) -> str:
    return "" if set(simple.texts()) <= {"-l", "-q"} and simple.arguments else "plants something that runs later"


def _truncate(simple: Simple, _targets: Targets) -> str:
    return "empties files" if operands(simple) or simple.extra_arguments else ""


def _windows_delete(simple: Simple, _targets: Targets) -> str:
    flags = {text.lower() for text in simple.texts()}
    wide = bool(flags & {"/s", "-recurse", "-r"}) or any(re.search(r"[*]|^[a-z]:[\\/]?$", flag) for flag in flags)
    return "deletes whole folders" if wide else ""


def _reg(simple: Simple, _targets: Targets) -> str:
    return (
        "changes the registry"
        if {text.lower() for text in simple.texts()} & {"add", "delete", "import", "restore"}
        else ""
    )


def _encoded(simple: Simple, _targets: Targets) -> str:
    encoded = any(re.match(r"-e(?:nc|c$|$)", text, re.IGNORECASE) for text in simple.texts())
    return "runs an encoded program" if encoded else ""


def _rsync(simple: Simple, targets: Targets) -> str:
    texts = simple.texts()
    if not any(text.startswith(("--delete", "--remove-source")) or text == "--del" for text in texts):
        return ""
    return "deletes what is not in the source"


def _ssh(simple: Simple, _targets: Targets) -> str:
    tunnels = any(re.match(r"-[a-zA-Z]*[RDLw]", text) for text in simple.texts())
    return "opens a tunnel to another machine" if tunnels else ""


def _netcat(simple: Simple, _targets: Targets) -> str:
    runs = has_option(simple, "ec", "--exec", "--sh-exec", "--lua-exec") or any(
        text.startswith(("--exec", "--sh-exec")) for text in simple.texts()
    )
    return "gives another machine a shell" if runs else ""


def _go(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    remote = any("@" in text and "." in text.split("/")[0] for text in texts) or any(
        re.match(r"https?://", text) for text in texts
    )
    return "runs code from the network" if texts[:1] in (["run"], ["install"]) and remote else ""


def _remote_code(simple: Simple, _targets: Targets) -> str:
    remote = any(re.match(r"(?:git\+)?(?:https?|git|ssh)://|github:|gist:", text) for text in simple.texts())
    return "runs code from the network" if remote else ""


_Check = Callable[[Simple, Targets], str]
_CHECKS: dict[str, _Check] = {
    "rm": _rm,
    "grm": _rm,
    "rmdir": _rm,
    "unlink": _rm,
    "trash": _rm,
    "mv": _move,
    "gmv": _move,
    "dd": _dd,
    "dcfldd": _dd,
    "find": _find,
    **dict.fromkeys(("chmod", "chown", "chgrp", "setfacl", "chattr", "chflags", "chcon"), _chmod),
    **dict.fromkeys(("kill", "pkill", "killall", "killall5", "skill"), _kill),
    **dict.fromkeys(("mount", "umount", "swapoff", "swapon", "losetup"), _mount),
    "sysctl": _sysctl,
    **dict.fromkeys(("systemctl", "service", "loginctl", "rc-service", "rc-update"), _systemctl),
    "init": _init,
    "crontab": _crontab,
    "at": _at,
    "git": destroys,
    **SERVICE_CHECKS,
    "truncate": _truncate,
    **dict.fromkeys(("del", "rd", "rmdir", "erase", "ri"), _windows_delete),
    "reg": _reg,
    **dict.fromkeys(("powershell", "pwsh"), _encoded),
    "rsync": _rsync,
    **dict.fromkeys(("ssh", "autossh"), _ssh),
    **dict.fromkeys(("nc", "ncat", "netcat", "nc.traditional", "nc.openbsd"), _netcat),
    "go": _go,
    **dict.fromkeys(names_in("npx bunx deno pipx uvx pip pip3 npm pnpm yarn cargo gem"), _remote_code),
}


def _dispatch(names: Sequence[str], *checks: _Check) -> None:
    """Several checks for the same name, the first that speaks."""
    for name in names:
        _CHECKS[name] = lambda simple, targets: next((why for check in checks if (why := check(simple, targets))), "")


_dispatch(("rmdir",), _rm, _windows_delete)
