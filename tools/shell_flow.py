"""What commands do together: secrets that flow out, fetched text that is run, programs that multiply."""

import re
from collections.abc import Iterable, Sequence

from .shell_commands import Simple, names_in, operands
from .shell_loud import Loud
from .shell_special import SECRET_VARIABLE
from .shell_targets import Targets, network_device, substitutes
from .shell_words import HoleKind, literal
from .shell_wrappers import SHELLS

_FETCHERS = names_in(
    "curl wget aria2c http https xh fetch lynx links w3m iwr irm Invoke-WebRequest Invoke-RestMethod ftp"
    " tftp nc ncat netcat socat scp sftp rsync ssh telnet gsutil aws git-remote dig nslookup host openssl"
)
_SENDERS = names_in(
    "curl wget nc ncat netcat socat scp sftp rsync ssh ftp tftp telnet http https xh openssl mail mailx mutt"
    " sendmail aws gsutil gcloud az rclone s3cmd mc gh dig nslookup host ping iwr irm Invoke-WebRequest"
    " Invoke-RestMethod lftp croc magic-wormhole wormhole transfer ffsend pastebinit termbin git hub glab"
    " doctl kubectl xh nping smbclient ncftpput lynx busybox logger"
)
_PURE_SENDERS = names_in(
    "nc ncat netcat socat telnet ftp tftp sendmail mail mailx mutt pastebinit croc wormhole ssh openssl"
)
_INTERPRETERS = SHELLS | names_in(
    "python python2 python3 perl ruby node nodejs php lua deno bun tclsh Rscript osascript pwsh powershell"
    " iex Invoke-Expression source . eval awk gawk"
)
_DECODERS = names_in(
    "base64 base32 basenc xxd openssl uudecode gunzip zcat bunzip2 xz unxz zstd rev tr gpg od hex printf"
)
_UPLOAD = re.compile(r"-T|--upload-file.*|-F.*|--form.*|--post-file.*|--body-file.*|-d@.*|--data(?:-\w+)?=?@.*|-T.+")
_CODE_FLAG = re.compile(r"-[a-zA-Z]*[ce]|--eval|--command|-r|-pe|-ne|-E|--execute|--exec")
_STRING = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
_CODE_HARM = re.compile(
    r"rmtree|rm_rf|remove_tree|unlinkSync|rmSync|rmdirSync|removedirs|FileUtils\.rm|Remove-Item|shutil\.move\(\s*['\"]/|"
    r"os\.remove\(\s*['\"]/|fs\.rm\(|unlink\s+glob|unlink\s*<"
)
_CODE_FORK = re.compile(
    r"(?:while|for|loop|until)\b.*\bfork\b|\bfork\b.*(?:while|loop)|fork\s+while|os\.fork\(\).*os\.fork\(\)", re.DOTALL
)
_CODE_SHELL = re.compile(
    r"socket.*(?:subprocess|pty|exec|spawn|dup2|/bin/|sh\b)|TCPSocket.*exec|exec.*TCPSocket|/inet/tcp|IO::Socket.*system|(?:net|socket)\b.*connect.*(?:exec|spawn)|fsockopen.*exec|net\.connect.*(?:spawn|exec)",
    re.DOTALL | re.I,
)
_CODE_REMOTE = re.compile(
    r"https?\b.*\bget\b.*\beval\(|"
    r"(?:exec|eval)\b.*(?:b64decode|base64|fromhex|unhexlify|decompress|atob\(|rot13|marshal|pack\()|"
    r"(?:exec|eval|compile|system|Function|iex|instance_eval)\b.*(?:urlopen|requests\.get|urllib|fetch\(|https?://|open-uri|LWP|file_get_contents|"
    r"DownloadString|IO\.read)|(?:urlopen|requests\.get|fetch\(|LWP|DownloadString).*(?:\bexec|\beval|\|\s*iex)",
    re.DOTALL | re.I,
)
_CODE_NETWORK = re.compile(
    r"urlopen|requests\.|urllib|http\.client|socket|fetch\(|https?://|smtplib|ftplib|Net::HTTP|LWP|axios|XMLHttp", re.I
)
_CODE_SECRET = re.compile(
    r"environ|process\.env|ENV\[|%ENV|getenv|\.env\b|id_rsa|\.ssh|\.aws|credentials|\.netrc|/etc/shadow|id_ed25519"
)


def flow(commands: Sequence[Simple], targets: Targets) -> Loud | None:
    """Why commands must be asked loudly for what they do together."""
    fetched: set[str] = set()
    tainted: set[str] = set()
    for simple in commands:
        why = (
            _runs_fetched(simple, fetched, tainted)
            or _sends_out(simple, targets)
            or _multiplies(simple, commands)
            or _code(simple)
        )
        if why:
            return Loud(why=why, confirm=simple.name or "run")
        fetched |= _downloads(simple)
        if not simple.words and _origin(simple.inner):
            tainted |= {name for name, _ in simple.assignments}
    return None


def code_texts(simple: Simple) -> list[str]:
    """Programs given on the command line or as a here-document to an interpreter other than a shell."""
    if simple.name.rstrip("0123456789.") not in {
        "python",
        "perl",
        "ruby",
        "node",
        "nodejs",
        "php",
        "lua",
        "deno",
        "bun",
        "osascript",
        "awk",
        "gawk",
        "mawk",
    }:
        return []
    texts = simple.texts()
    found = [texts[n + 1] for n, text in enumerate(texts[:-1]) if _CODE_FLAG.fullmatch(text)]
    if simple.name in ("awk", "gawk", "mawk", "deno", "bun"):
        found += texts
    if simple.text is not None:
        found.append(simple.text.known)
    found += [text for feed in simple.feeds if feed.name in ("echo", "printf", "case") for text in feed.texts()]
    return found


def quoted_strings(code: str) -> list[str]:
    """The string literals of a program, in any of the usual languages; those of a list are joined as well."""
    found = [first or second for first, second in _STRING.findall(code)]
    ticks = re.findall(r"`([^`]*)`|%x[{(\[]([^})\]]*)|\bqx[{/(]([^})/]*)", code)
    found += [text for group in ticks for text in group if text]
    lists = [
        " ".join(first or second for first, second in _STRING.findall(inside))
        for inside in re.findall(r"\[([^\[\]]*)\]|\(([^()]*)\)", code)
        for inside in [inside[0] or inside[1]]
    ]
    return [*found, *lists]


def _runs_fetched(simple: Simple, fetched: set[str], tainted: set[str]) -> str:
    name = simple.name
    sources = [*simple.inner, *simple.feeds]
    origin = _origin(sources)
    runner = name in _INTERPRETERS or re.fullmatch(r"(?:python|perl|ruby|php|node)[\d.]+", name) is not None
    if runner and _reads_program(simple) and origin:
        return f"runs what comes {origin}"
    named = simple.words[0] if simple.words else None
    looked_up = {hole.name for word in (simple.words if runner else simple.words[:1]) for hole in word.holes}
    if looked_up & tainted or (name == "eval" and looked_up and _origin(simple.feeds)):
        return "runs what was fetched before"
    if named is not None and named.text is None and _origin(simple.inner):
        return "runs what comes from the network or out of a decoder"
    if (
        fetched
        and (runner or name in ("chmod", "xargs", "env"))
        and any(_base(text) in fetched for text in simple.texts())
    ):
        return "runs what was fetched before"
    if fetched and named is not None and "/" in named.known and _base(named.known) in fetched:
        return "runs what was fetched before"
    return ""


def _reads_program(simple: Simple) -> bool:
    """Whether an interpreter's program comes from its input or a substitution rather than a file."""
    if simple.inner and (substitutes(simple.words) or simple.name in ("eval", "source", ".")):
        return True
    named = operands(simple)
    if simple.name in ("awk", "gawk"):
        return any(text in ("-f-", "-f") for text in simple.texts())
    from_input = (
        not named
        or named[0].known in ("-", "/dev/stdin", "/proc/self/fd/0", "/dev/fd/0")
        or simple.name in ("iex", "Invoke-Expression")
    )
    return from_input or "-s" in simple.texts() or not any(not word.known.startswith("-") for word in simple.arguments)


def _origin(sources: Iterable[Simple]) -> str:
    for source in sources:
        if before := _origin(source.feeds):
            return before
        if source.name in _FETCHERS or any(network_device(redirect.target.known) for redirect in source.redirects):
            return "from the network"
        if source.name in _DECODERS and _decodes(source):
            return "out of a decoder"
    return ""


def _decodes(simple: Simple) -> bool:
    texts = simple.texts()
    match simple.name:
        case "base64" | "base32" | "basenc":
            return any(re.match(r"-[a-zA-Z]*[dD]|--d", text) for text in texts)
        case "xxd":
            return any(re.match(r"-[a-z]*r|-revert", text) for text in texts)
        case "openssl" | "gpg":
            return any(text in ("-d", "-decrypt", "--decrypt", "-A") for text in texts)
        case "printf":
            return any("\\x" in text or re.search(r"\\[0-7]{2}", text) for text in texts)
        case "tr" | "rev" | "od":
            return True
        case _:
            return True


def _downloads(simple: Simple) -> set[str]:
    """The names of files that a command fetches."""
    if simple.name not in _FETCHERS:
        return set()
    texts = simple.texts()
    names = {
        _base(texts[n + 1])
        for n, text in enumerate(texts[:-1])
        if re.fullmatch(r"-[a-zA-Z]*[oO]|--output|--output-document|-OutFile", text)
    }
    names |= {_base(text.partition("=")[2]) for text in texts if text.startswith(("--output=", "--output-document="))}
    names |= {_base(text[2:]) for text in texts if re.match(r"-[oO][^-]", text)}
    names |= {_base(redirect.target.known) for redirect in simple.redirects if redirect.writes}
    names |= {_base(text.partition("?")[0]) for text in texts if "/" in text}
    names |= {_base(text.rpartition(":")[2]) for text in texts if ":" in text and not text.startswith("-")}
    return {name for name in names if name and "\0" not in name}


def _sends_out(simple: Simple, targets: Targets) -> str:
    network = simple.name in _SENDERS
    for redirect in simple.redirects:
        if network_device(redirect.target.known):
            return "talks to the network through the shell"
    if not network:
        return ""
    if simple.name == "git" and not set(simple.texts()) & {"push", "send-email"}:
        return ""
    texts = simple.texts()
    if simple.name != "ssh" and any(
        targets.secret(word, simple) for word in simple.arguments if not _is_key_option(simple, word.known)
    ):
        return "may send a secret out"
    if any(
        h.kind is HoleKind.VARIABLE and SECRET_VARIABLE.fullmatch(h.name.rstrip(":"))
        for w in simple.words
        for h in w.holes
    ) and not _authorises(texts):
        return "may send a secret out"
    taken = [redirect.target for redirect in simple.redirects if redirect.operator == "<"]
    said = [literal(piece) for piece in (simple.text.known.split() if simple.text is not None else [])]
    if any(targets.secret(word, simple) for word in (*taken, *said)):
        return "may send a secret out"
    if any(_secret_source(source, targets) for source in (*simple.inner, *simple.feeds)):
        return "may send a secret out"
    if simple.feeds and simple.name in _PURE_SENDERS and simple.name not in ("openssl",):
        return "sends data out"
    if simple.name in ("curl", "wget", "http", "https", "xh") and (
        any(_UPLOAD.fullmatch(text) for text in texts) or any(text.startswith("@") for text in texts)
    ):
        return "sends a file out"
    if any(redirect.operator == "<" for redirect in simple.redirects) and simple.name in _PURE_SENDERS:
        return "sends a file out"
    if simple.name in ("scp", "rsync", "sftp") and any(
        re.match(r"(?:[\w.-]+@)?[\w.-]+:(?!\\)", text) for text in texts[-1:]
    ):
        return "sends files out"
    return ""


def _is_key_option(simple: Simple, text: str) -> bool:
    """A key that ``ssh`` and its like use to get in is not sent."""
    texts = simple.texts()
    return simple.name in ("scp", "sftp", "rsync") and text in texts and texts[texts.index(text) - 1] == "-i"


def _authorises(texts: Sequence[str]) -> bool:
    """A key in an authorisation header of a request is what it is for."""
    return any(re.match(r"Authorization:|X-Api-Key:|PRIVATE-TOKEN:", text, re.I) for text in texts) and not any(
        "\0" in text and text.startswith("http") for text in texts
    )


def _secret_source(source: Simple, targets: Targets) -> bool:
    if source.name in ("env", "printenv", "set", "export", "declare") and not source.arguments:
        return True
    if any(
        h.kind is HoleKind.VARIABLE and SECRET_VARIABLE.fullmatch(h.name.rstrip(":"))
        for w in source.words
        for h in w.holes
    ):
        return True
    words = [*source.arguments, *(redirect.target for redirect in source.redirects if redirect.operator == "<")]
    return source.name not in ("echo", "printf", "case") and any(targets.secret(word, source) for word in words)


def _multiplies(simple: Simple, commands: Sequence[Simple]) -> str:
    if simple.function and simple.name == simple.function:
        again = [each for each in commands if each.function == simple.function and each.name == simple.function]
        if len(again) > 1 or simple.background or simple.feeds:
            return "starts itself over and over"
    if simple.repeats and simple.background:
        return "starts programs without end"
    if simple.name in ("yes", "cat") and any(feed.name == "yes" for feed in simple.feeds) and simple.background:
        return "exhausts the machine"
    script = {"$0", "${0}", "\0"}
    if (
        simple.background
        and simple.words
        and simple.words[0].holes
        and simple.words[0].holes[0].name == "0"
        and simple.words[0].known.lstrip("./") in script
    ):
        return "starts itself over and over"
    return ""


def _code(simple: Simple) -> str:
    for code in code_texts(simple):
        if _CODE_FORK.search(code):
            return "starts programs without end"
        if _CODE_SHELL.search(code):
            return "gives another machine a shell"
        if _CODE_REMOTE.search(code):
            return "runs code from the network"
        if _CODE_NETWORK.search(code) and _CODE_SECRET.search(code):
            return "may send a secret out"
        if _CODE_HARM.search(code):
            return "deletes files"
    return ""


def _base(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2]
