"""The demo plays its task on the real sample: read, edit, test, sum up, and says what really happened."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from patchbay.providers.base import FREE
from patchbay.providers.demo import DEMO_NAME, DEMO_PROMPT, create_sample, demo_provider
from patchbay.providers.events import (
    ResponseEnd,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingEnd,
    ToolCallDelta,
    ToolCallEnd,
    Usage,
    UsageUpdate,
)
from patchbay.providers.handoff import CONTINUE, prepare
from patchbay.providers.messages import (
    AssistantBlock,
    AssistantMessage,
    ChatRequest,
    Message,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from patchbay.providers.scripted import ScriptedProvider

CODE, TESTS = "lighthouse/morse.py", "tests/test_morse.py"
Gate = Callable[[ToolCallBlock], str | None]
"""Answers a call with an error instead of running it, or None to let it run."""


def run_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unittest"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def run_tool(folder: Path, call: ToolCallBlock) -> str:
    """The least that read, edit and bash may be. Raises OSError or ValueError for a failing call."""
    assert isinstance(call.arguments, dict)
    match call.name, call.arguments:
        case "read", {"path": str(path)}:
            lines = (folder / path).read_text().splitlines()
            return "\n".join(f"{number:>5}  {line}" for number, line in enumerate(lines, 1))
        case "edit", {"path": str(path), "edits": list(edits)}:
            content = (folder / path).read_text()
            for change in edits:
                if content.count(change["old_text"]) != 1:
                    raise ValueError(f"{change['old_text']!r} is there {content.count(change['old_text'])} times")
                content = content.replace(change["old_text"], change["new_text"])
            (folder / path).write_text(content)
            return "done"
        case "bash", {"command": str(command), "timeout_s": int(timeout)}:
            ran = subprocess.run(
                shlex.split(command), cwd=folder, capture_output=True, text=True, check=False, timeout=timeout
            )
            return f"exit status {ran.returncode}\n{ran.stdout}{ran.stderr}"
        case other:
            raise AssertionError(f"no tool takes {other}")


def whole(events: list[ResponseEvent]) -> AssistantMessage:
    """The answer as the session keeps it, read from its deltas."""
    assert isinstance(events[0], ResponseStart)
    assert isinstance(events[-1], ResponseEnd)
    texts: dict[int, str] = {}
    blocks: dict[int, AssistantBlock] = {}
    for event in events:
        match event:
            case TextDelta(index=at, text=text):
                texts[at] = texts.get(at, "") + text
                blocks[at] = TextBlock(text=texts[at])
            case ThinkingDelta(index=at, text=text):
                texts[at] = texts.get(at, "") + text
            case ThinkingEnd(index=at):
                blocks[at] = ThinkingBlock(text=texts[at])
            case ToolCallDelta(index=at, arguments_json=piece):
                texts[at] = texts.get(at, "") + piece
            case ToolCallEnd(index=at, call_id=call_id, name=name, arguments=arguments):
                assert json.loads(texts[at]) == arguments
                blocks[at] = ToolCallBlock(call_id=call_id, name=name, arguments=arguments)
            case _:
                pass
    return AssistantMessage(
        blocks=tuple(blocks[at] for at in sorted(blocks)), provider=DEMO_NAME, dialect="scripted", model=DEMO_NAME
    )


@dataclass
class Played:
    """A session with the demo: a new provider for every request, as if each came after ``--continue``."""

    folder: Path
    messages: list[Message] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    ends: list[StopReason] = field(default_factory=list)

    async def prompt(self, text: str, gate: Gate = lambda call: None) -> str:
        self.messages.append(UserMessage(blocks=(TextBlock(text=text),)))
        for _ in range(8):
            answer = await self.ask()
            calls = [block for block in answer.blocks if isinstance(block, ToolCallBlock)]
            if not calls:
                return "".join(block.text for block in answer.blocks if isinstance(block, TextBlock))
            for call in calls:
                self.messages.append(self._result(call, gate(call)))
        raise AssertionError("the demo does not come to an end")

    async def ask(self) -> AssistantMessage:
        request = ChatRequest(model=DEMO_NAME, messages=tuple(self.messages), system="Be brief.")
        events = [event async for event in demo_provider(tokens_per_second=0).stream(request)]
        answer = whole(events)
        self.messages.append(answer)
        self.usages.append([event.usage for event in events if isinstance(event, UsageUpdate)][-1])
        self.ends.extend(event.stop_reason for event in events if isinstance(event, ResponseEnd))
        self.called.extend(block.name for block in answer.blocks if isinstance(block, ToolCallBlock))
        return answer

    def _result(self, call: ToolCallBlock, refusal: str | None) -> ToolResultMessage:
        content, failed = refusal or "", refusal is not None
        if not failed:
            try:
                content = run_tool(self.folder, call)
            except (OSError, ValueError) as error:
                content, failed = str(error), True
        return ToolResultMessage(call_id=call.call_id, name=call.name, content=content, is_error=failed)


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(create_sample(tmp_path / "sample"))


def test_the_sample_has_one_failing_test_and_real_names(tmp_path: Path) -> None:
    folder = create_sample(tmp_path / "new" / "sample")
    assert folder == tmp_path / "new" / "sample"
    assert {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()} == {
        "README.md",
        "lighthouse/__init__.py",
        "lighthouse/lamp.py",
        "lighthouse/morse.py",
        "tests/__init__.py",
        "tests/test_lamp.py",
        "tests/test_morse.py",
    }
    ran = run_tests(folder)
    assert ran.returncode == 1
    assert "Ran 5 tests" in ran.stderr
    assert "FAILED (failures=1)" in ran.stderr
    assert "test_words_stay_apart" in ran.stderr


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        create_sample(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


async def test_the_task_is_played_to_its_end_and_the_sample_is_mended(played: Played) -> None:
    before = (played.folder / CODE).read_text()
    said = await played.prompt(DEMO_PROMPT)
    assert played.called == ["read", "read", "edit", "edit", "bash"]
    assert played.ends == [StopReason.TOOL_CALLS] * 3 + [StopReason.END_TURN]
    ran = run_tests(played.folder)
    assert (ran.returncode, "Ran 6 tests" in ran.stderr) == (0, True), ran.stderr
    assert "all **6 tests** pass" in said
    diff = list(unified_diff(before.splitlines(), (played.folder / CODE).read_text().splitlines(), lineterm=""))
    assert sum(line.startswith("@@") for line in diff) >= 2, "the diff pane has hunks to move between"


async def test_the_summary_shows_every_kind_of_markdown(played: Played) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(await played.prompt(DEMO_PROMPT))
    kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or []}
    wanted = {"heading_open", "bullet_list_open", "table_open", "fence", "blockquote_open", "link_open", "code_inline"}
    assert wanted <= kinds
    assert any(token.type == "bullet_list_open" and token.level > 1 for token in tokens), "a nested list"
    fence = next(token for token in tokens if token.type == "fence")
    assert fence.info == "python"
    assert fence.content in (played.folder / CODE).read_text(), "the code shown is the code written"


async def test_usage_has_all_classes_and_grows_with_the_history(played: Played) -> None:
    await played.prompt(DEMO_PROMPT)
    assert all(None not in (u.input_tokens, u.cache_read_tokens, u.cache_write_tokens) for u in played.usages)
    sent = [sum((u.input_tokens or 0, u.cache_read_tokens or 0, u.cache_write_tokens or 0)) for u in played.usages]
    assert sent == sorted(sent)
    assert played.usages[0].cache_read_tokens == 0
    assert all((u.cache_read_tokens or 0) > 0 for u in played.usages[1:])
    assert all((u.output_tokens or 0) > (u.thinking_tokens or 0) for u in played.usages)
    assert (played.usages[0].thinking_tokens or 0) > 0


def deny_edit_of(path: str) -> Gate:
    def gate(call: ToolCallBlock) -> str | None:
        assert isinstance(call.arguments, dict)
        denied = call.name == "edit" and call.arguments["path"] == path
        return "The user denied this edit: keep the old joiner" if denied else None

    return gate


async def test_a_denied_edit_ends_the_task_without_a_claim(played: Played) -> None:
    said = await played.prompt(DEMO_PROMPT, deny_edit_of(CODE))
    assert "bash" not in played.called
    assert "keep the old joiner" in said
    assert f"Changed: `{TESTS}`." in said
    assert "claim no fix" in said
    assert "WORD_GAP" not in (played.folder / CODE).read_text()


async def test_the_task_can_be_sent_again_after_a_denial(played: Played) -> None:
    await played.prompt(DEMO_PROMPT, deny_edit_of(CODE))
    assert played.called == ["read", "read", "edit", "edit"]
    said = await played.prompt(DEMO_PROMPT)
    assert "all **6 tests** pass" in said
    assert (played.folder / TESTS).read_text().count("test_any_blank_parts_words") == 1
    ids = [b.call_id for m in played.messages if isinstance(m, AssistantMessage) for b in m.blocks if is_call(b)]
    assert len(set(ids)) == len(ids), "call ids are unique in a session"


def is_call(block: AssistantBlock) -> bool:
    return isinstance(block, ToolCallBlock)


async def test_once_mended_it_changes_nothing(played: Played) -> None:
    await played.prompt(DEMO_PROMPT)
    said = await played.prompt(DEMO_PROMPT)
    assert played.called == ["read", "read", "edit", "edit", "bash", "read", "read", "bash"]
    assert "all 6 tests pass" in said


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("exit status 1\nRan 6 tests in 0.01s\n\nFAILED (failures=1)", "still fail"),
        ("Ran 6 tests in 0.01s\n\nOK but killed", "still fail"),
        ("Denied by the user.", "did not run"),
    ],
)
async def test_tests_that_do_not_pass_are_no_success(played: Played, output: str, told: str) -> None:
    said = await played.prompt(DEMO_PROMPT, lambda call: output if call.name == "bash" else None)
    assert told in said
    assert "pass |" not in said
    assert "all **" not in said


async def test_a_failing_run_reported_as_a_normal_result_is_no_success(played: Played) -> None:
    (played.folder / "tests" / "test_gloom.py").write_text(
        "import unittest\n\nclass Gloom(unittest.TestCase):\n    def test_it(self):\n        self.fail('OK')\n"
    )
    assert "not all passed" in await played.prompt(DEMO_PROMPT)


async def test_elsewhere_than_in_the_sample_it_touches_nothing(tmp_path: Path) -> None:
    played = Played(tmp_path)
    said = await played.prompt(DEMO_PROMPT)
    assert set(played.called) == {"read"}
    assert "--demo" in said


async def test_the_task_goes_on_after_a_broken_answer(played: Played) -> None:
    partial = AssistantMessage(
        blocks=(TextBlock(text="I will"),), provider=DEMO_NAME, dialect="scripted", model=DEMO_NAME
    )
    played.messages = [UserMessage(blocks=(TextBlock(text=DEMO_PROMPT),)), partial, CONTINUE]
    await played.ask()
    assert played.called == ["read", "read"]


async def test_another_prompt_shows_what_was_handed_over(played: Played) -> None:
    foreign = AssistantMessage(
        blocks=(ThinkingBlock(text="hm", signature="s"), TextBlock(text="Hello")),
        provider="llama.cpp",
        dialect="openai_chat",
        model="smol/135m",
    )
    history = (UserMessage(blocks=(TextBlock(text="hi"),)), foreign)
    played.messages = list(prepare(history, provider=DEMO_NAME, dialect="scripted", model=DEMO_NAME).messages[:2])
    said = await played.prompt("what\nnow?")
    assert "- 1 from `llama.cpp/smol/135m`" in said
    assert "came with it: 3." in said
    assert "> what" in said
    assert "No model is behind this" in said
    assert DEMO_PROMPT in said
    assert played.called == []


async def test_it_is_free_labelled_and_paced() -> None:
    provider = demo_provider()
    assert isinstance(provider, ScriptedProvider)
    assert (provider.name, await provider.list_models()) == ("demo", ["no-model"])
    known = await provider.model_info("no-model")
    assert known is not None
    assert (known.price, known.tools, known.context_window) == (FREE, True, 32_768)


async def test_pacing_follows_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("patchbay.providers.scripted.asyncio.sleep", sleep)
    request = ChatRequest(model="no-model", messages=(UserMessage(blocks=(TextBlock(text="hi"),)),))
    events = [event async for event in demo_provider(tokens_per_second=50).stream(request)]
    deltas = [event for event in events if isinstance(event, TextDelta)]
    assert slept.count(1 / 50) == len(deltas) > 20
    said = "".join(event.text for event in deltas)
    assert 3 <= len(said) / len(deltas) <= 6, "a delta is about a token"
