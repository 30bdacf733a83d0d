"""The demo: a scripted provider, plainly labelled "demo, no model", that plays one small coding task.

It works in a sample project of its own (``create_sample``): reads two files, proposes edits to both, runs the
tests, and sums up. Tools, approvals and results are real; only the words are written beforehand, and they
follow what the results say: a denied edit or a failing test is told as what it is. Everything is worked out
from the messages of the request, so that a session can be continued, or handed over by another provider.

The files of the sample are package data whose names end in ``.txt``, which ``create_sample`` takes off: with
their real names the sample's tests would be collected with ours, its code would be linted as ours, and its
packages would look like sub-packages of this one.
"""

import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from .events import (
    JsonObject,
    ResponseEvent,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
)
from .handoff import CONTINUE
from .messages import AssistantMessage, ChatRequest, Message, TextBlock, ToolCallBlock, ToolResultMessage, UserMessage
from .scripted import Events, ScriptedProvider, answer, end, text, thinking, tool_call, usage

DEMO_NAME = "demo"
"""The provider's name."""
DEMO_MODEL = "no-model"
"""What stands in the place of a model's name, so that nobody takes the demo for one."""
DEMO_PROMPT = "Words run together when the lighthouse speaks. Find out why, fix it, and run the tests."
"""The task it can play: offered as the first prompt."""
TOKENS_PER_SECOND = 80.0
"""As fast as a good hosted model."""

_CODE, _TESTS = "lighthouse/morse.py", "tests/test_morse.py"
_CHARS_PER_TOKEN = 4

_OLD_ENCODE = """\
    signals = [LETTERS[letter] for letter in text.upper() if letter in LETTERS]
    return " ".join(signals)
"""
_NEW_ENCODE = """\
    words = (" ".join(LETTERS[letter] for letter in word if letter in LETTERS) for word in text.upper().split())
    return WORD_GAP.join(word for word in words if word)
"""
_NEW_TEST = """\
    def test_any_blank_parts_words(self) -> None:
        self.assertEqual(decode(encode("  fog\\n & ahead ")), "FOG AHEAD")

"""
_OLD_LINE, _NEW_TEST_LINE = (block.splitlines()[0].strip() for block in (_OLD_ENCODE, _NEW_TEST))
_LAST_TEST = "    def test_a_word_comes_back(self) -> None:\n"
_EDITS: dict[str, list[tuple[str, str]]] = {
    _CODE: [
        ("LETTERS = {\n", 'WORD_GAP = " / "\n"""What parts two words."""\n\nLETTERS = {\n'),
        (_OLD_ENCODE, _NEW_ENCODE),
        ('signal.split(" / ")', "signal.split(WORD_GAP)"),
    ],
    _TESTS: [(_LAST_TEST, _NEW_TEST + _LAST_TEST)],
}


def demo_provider(*, tokens_per_second: float = TOKENS_PER_SECOND) -> ScriptedProvider:
    """The demo, paced like a real stream; 0 tokens a second means as fast as it can be read."""
    paced = tokens_per_second > 0
    return ScriptedProvider(
        DEMO_NAME,
        _reply,
        models=(DEMO_MODEL,),
        delay_s=1 / tokens_per_second if paced else 0.0,
        first_delay_s=0.4 if paced else 0.0,
    )


def create_sample(folder: Path) -> Path:
    """Write the sample project into ``folder``, made when missing, and return it.

    Raises ``FileExistsError`` when the folder holds anything: the demo changes files, and must only ever
    change its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: the demo needs a folder of its own. Choose an empty or new one.")
    _copy(resources.files(__name__.rpartition(".")[0]).joinpath("sample"), folder)
    return folder


def _copy(source: Traversable, folder: Path) -> None:
    for entry in source.iterdir():
        if entry.is_dir():
            (folder / entry.name).mkdir()
            _copy(entry, folder / entry.name)
        elif entry.name.endswith(".txt"):
            (folder / entry.name.removesuffix(".txt")).write_bytes(entry.read_bytes())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A call of this turn and what came of it."""

    call: ToolCallBlock
    result: ToolResultMessage

    @property
    def path(self) -> str:
        return str(self.call.arguments.get("path")) if isinstance(self.call.arguments, dict) else ""


def _reply(request: ChatRequest) -> Iterable[ResponseEvent]:
    """The answer to a request, with its usage counted from what was really sent and said."""
    prompt, since = _turn(request.messages)
    parts = _task(request.messages, since) if _words(prompt) == _words(DEMO_PROMPT) else _small_talk(request, prompt)
    calls = any(isinstance(event, ToolCallEnd) for group in parts for event in group)
    before, new = _input_chars(request)
    sent = (new // 2) // _CHARS_PER_TOKEN
    cached = {
        "cache_read_tokens": before // _CHARS_PER_TOKEN,
        "cache_write_tokens": (new - new // 2) // _CHARS_PER_TOKEN,
    }
    thought, said = _output_chars(parts)
    final = usage(
        sent,
        (thought + said) // _CHARS_PER_TOKEN,
        thinking_tokens=thought // _CHARS_PER_TOKEN,
        **cached,
    )
    stop = StopReason.TOOL_CALLS if calls else StopReason.END_TURN
    return answer(usage(sent, **cached), *parts, final, end(stop))


def _task(messages: Sequence[Message], since: Sequence[Message]) -> list[Events]:
    """The next step of the task, by what has been done since the prompt."""
    runs = _runs(since)
    reads, edits, tests = ([run for run in runs if run.call.name == name] for name in ("read", "edit", "bash"))
    number = sum(len(_calls(message)) for message in messages)
    if tests:
        return [text(_summary(edits, tests[-1].result))]
    if edits:
        refused = [run for run in edits if run.result.is_error]
        return [text(_declined(edits, refused))] if refused else _run_tests(number, "The edits are in. Now the tests.")
    if reads:
        return _after_reading(number, {run.path: run.result.content for run in reads if not run.result.is_error})
    return [
        thinking(
            "The words run together, so the gap between two words gets lost somewhere between the text and the light. "
            "The lamp knows a gap of seven beats; I should see whether `encode` ever asks for it, and what its tests "
            "expect."
        ),
        text("I will look at the code that turns words into signals, and at its tests."),
        _read(number, _CODE),
        _read(number + 1, _TESTS),
    ]


def _after_reading(number: int, files: dict[str, str]) -> list[Events]:
    code, tests = files.get(_CODE, ""), files.get(_TESTS, "")
    if "def encode" not in code or "class MorseTest" not in tests:
        return [
            text(
                f"`{_CODE}` and `{_TESTS}` are not here to be read, so this is not the demo's sample project and "
                "I have nothing to play. Start `patchbay --demo`: it makes the sample in a folder of its own."
            )
        ]
    if _OLD_LINE not in code:
        return _run_tests(number, "The fix is already in, so I change nothing and only run the tests.")
    paths = [_CODE] if _NEW_TEST_LINE in tests else [_CODE, _TESTS]
    return [
        thinking(
            "`encode` walks over all letters at once. A blank has no signal, so `if letter in LETTERS` drops it, and "
            "the words are joined like letters. `decode` already expects a slash between words. I will name that gap "
            "once, encode word by word, and add a test with untidy blanks: signs without a signal must not leave an "
            "empty word behind."
        ),
        text(
            "Found it: `encode` drops blanks like any other sign that has no signal, so the gap between two words "
            "never reaches the lamp. I encode word by word instead, and add a test for untidy blanks."
        ),
        *(_edit(number + at, path) for at, path in enumerate(paths)),
    ]


def _read(number: int, path: str) -> Events:
    return tool_call(_call_id(number), "read", {"path": path})


def _edit(number: int, path: str) -> Events:
    arguments: JsonObject = {"path": path, "edits": [{"old_text": old, "new_text": new} for old, new in _EDITS[path]]}
    return tool_call(_call_id(number), "edit", arguments)


def _run_tests(number: int, words: str) -> list[Events]:
    command = shlex.join([sys.executable, "-m", "unittest"])
    return [text(words), tool_call(_call_id(number), "bash", {"command": command, "timeout_s": 60})]


def _call_id(number: int) -> str:
    return f"demo_{number + 1}"


def _declined(edits: Sequence[_Run], refused: Sequence[_Run]) -> str:
    applied = [run.path for run in edits if not run.result.is_error]
    told = "\n".join(f"- `{run.path}`: {_first_line(run.result.content)}" for run in refused)
    rest = f"Changed: {', '.join(f'`{path}`' for path in applied)}." if applied else "No file was changed."
    return (
        f"Not every edit was made, so I stop here and claim no fix.\n\n{told}\n\n{rest} "
        "To play it again, send the task once more."
    )


def _summary(edits: Sequence[_Run], result: ToolResultMessage) -> str:
    """What the test run showed; success only when unittest itself says so."""
    ran = re.search(r"^Ran (\d+) tests?\b", result.content, re.MULTILINE)
    if ran is None:
        return (
            "## The tests did not run\n\nI cannot say whether the lighthouse is mended.\n\n"
            f"> {_first_line(result.content)}"
        )
    if result.is_error or not re.search(r"^OK\b", result.content, re.MULTILINE):
        return (
            f"## The tests still fail\n\n{ran[1]} tests ran and not all passed, so the task is **not** done. "
            "The tool log has the whole output."
        )
    if not edits:
        return f"## Nothing to mend\n\nThe words already stay apart, and all {ran[1]} tests pass."
    return _SUCCESS.format(tests=ran[1], code=_CODE, new_tests=_TESTS, body=_NEW_ENCODE)


_SUCCESS = """\
## The lighthouse parts its words

- `{code}`: words are encoded one by one and joined by a gap with a name
  - `decode` uses the same gap, so the two cannot drift apart
- `{new_tests}`: a new test with untidy blanks
- all **{tests} tests** pass

| text | before | after |
|------|--------|-------|
| `sos` | `... --- ...` | `... --- ...` |
| `go on` | `--. --- --- -.` | `--. --- / --- -.` |

The heart of the change:

```python
def encode(text: str) -> str:
    \"\"\"Turn text into dots and dashes. What has no signal stays dark.\"\"\"
{body}```

> The gap between two words is seven beats of darkness.

That is how the [ITU defines Morse code](https://www.itu.int/rec/R-REC-M.1677/). \
These words were written beforehand (*demo, no model*); the edits and the test run were real. \
Choose a model to go on with your own project.
"""


def _small_talk(request: ChatRequest, prompt: str) -> list[Events]:
    """The answer to anything else: what arrived, from whom, and that nobody is at home."""
    answers: dict[str, int] = {}
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            origin = f"{message.provider}/{message.model}"
            answers[origin] = answers.get(origin, 0) + 1
    told = [f"- {count} from `{origin}`" for origin, count in answers.items()] or ["- none yet"]
    lines = [
        "No model is behind this answer: it is the demo, and it can play one task only.",
        f"> {_first_line(prompt)}",
        f"Messages that came with it: {len(request.messages)}. The answers among them:",
        "\n".join(told),
        f"To see the task, send: `{DEMO_PROMPT}` To talk to a model, choose one in the switcher.",
    ]
    return [text("\n\n".join(lines))]


def _turn(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """The newest prompt that says something new, and all that followed it."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, UserMessage) and message != CONTINUE:
            words = (block.text for block in reversed(message.blocks) if isinstance(block, TextBlock))
            return next(words, ""), messages[at + 1 :]
    return "", messages


def _runs(messages: Sequence[Message]) -> list[_Run]:
    calls: dict[str, ToolCallBlock] = {}
    runs: list[_Run] = []
    for message in messages:
        calls |= {call.call_id: call for call in _calls(message)}
        if isinstance(message, ToolResultMessage) and message.call_id in calls:
            runs.append(_Run(call=calls[message.call_id], result=message))
    return runs


def _calls(message: Message) -> list[ToolCallBlock]:
    blocks = message.blocks if isinstance(message, AssistantMessage) else ()
    return [block for block in blocks if isinstance(block, ToolCallBlock)]


def _words(said: str) -> str:
    return " ".join(said.split()).casefold()


def _first_line(said: str) -> str:
    line = next((line.strip() for line in said.splitlines() if line.strip()), "(nothing)")
    return line if len(line) <= 200 else line[:199] + "…"


def _input_chars(request: ChatRequest) -> tuple[int, int]:
    """Characters up to the newest answer (a server would have them in its cache), and after it."""
    last = max((at for at, m in enumerate(request.messages) if isinstance(m, AssistantMessage)), default=-1)
    sizes = [len(str(message)) for message in request.messages]
    fixed = len(request.system) + sum(len(str(tool)) for tool in request.tools)
    before = sum(sizes[: last + 1])
    return (fixed + before, sum(sizes[last + 1 :])) if before else (0, fixed + sum(sizes))


def _output_chars(parts: Iterable[Events]) -> tuple[int, int]:
    """Characters of thinking, and of everything else."""
    thought = said = 0
    for event in (event for group in parts for event in group):
        match event:
            case ThinkingDelta(text=piece):
                thought += len(piece)
            case TextDelta(text=piece) | ToolCallDelta(arguments_json=piece):
                said += len(piece)
            case _:
                pass
    return thought, said
