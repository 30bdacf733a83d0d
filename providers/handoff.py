"""Hand-off: rewrites a conversation so that the model asked next accepts it, whoever answered before.

Pure and idempotent. What is made sure of, for every target:

- Signed or encrypted thinking, provider metadata and a provider's own blocks go back byte-exact to the
  provider, dialect and model that made them and to nobody else. Thinking of others is left out rather than
  sent as text: it was never part of the answer, it costs tokens on every request, and a model that finds
  thoughts among its own words begins to write its thoughts into its answers.
- Every tool call is followed at once by exactly one result, in call order; results are matched by id *and*
  position, because servers re-use ids from turn to turn. Orphaned calls get an error result, orphaned
  results go. A prompt that stood between a call and its result follows the results.
- Tool-call ids have the shape the target accepts and are unique where it wants that. A provider's own ids
  go back as they are as long as the target allows it.
- No empty blocks, no answers without content, no answer that ends in thinking (Anthropic and OpenAI refuse
  it), the first message is a prompt, no two answers follow each other (many chat templates raise on that),
  and the last message is never an answer, except for a turn that the server itself paused.

An id, a name or a prompt made up here depends on what came before it only, so that a growing history keeps
its beginning, and with it the server's prompt cache.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from .base import ProviderConfigError
from .events import InvalidArguments
from .messages import (
    AssistantBlock,
    AssistantMessage,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)

CONTINUE = UserMessage(blocks=(TextBlock(text="Continue."),))
"""Stands where a protocol wants a prompt and the person wrote none."""
NO_RESULT = "no result: interrupted"
"""What a model is told of a call whose result does not exist."""

_ID_PATTERNS = {"anthropic_messages": r"[A-Za-z0-9_-]{1,64}", "openai_responses": r"[A-Za-z0-9_-]{1,64}"}
_ID_PATTERN = r"[A-Za-z0-9_-]{1,40}"
"""OpenAI's Chat Completions refuse longer ids; no other server is known to want less, but see ``Quirks``."""
_UNIQUE_IDS = frozenset({"anthropic_messages"})
"""Dialects that refuse an id used twice anywhere in the history."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A history its target accepts, and what was changed, in short sentences; none when nothing was."""

    messages: tuple[Message, ...]
    changes: tuple[str, ...]


def prepare(
    messages: tuple[Message, ...],
    *,
    provider: str,
    dialect: str,
    model: str,
    id_pattern: str = "",
    continuation: bool = False,
) -> Prepared:
    """Make a history valid for ``model`` of ``provider``, asked in ``dialect``.

    ``id_pattern`` is the regular expression its tool-call ids must match (``Quirks.tool_call_id_pattern``).
    ``continuation`` sends an answer at the end back as it is, for a server that paused its own turn; one that
    ends in a block of the server's own is taken for paused without being told. Raises ``ProviderConfigError``
    when no id can match ``id_pattern``.
    """
    target = _Target(provider=provider, dialect=dialect, model=model, id_pattern=id_pattern)
    paused = messages[-1] if continuation and messages else None
    work = _Work(target=target)
    for exchange in _paired(messages, work.notes):
        work.add(exchange, unfinished=exchange.message is paused)
    work.close(continuation=continuation)
    return Prepared(messages=tuple(work.out), changes=tuple(_sentences(work.notes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    provider: str
    dialect: str
    model: str
    id_pattern: str

    def signed(self, message: AssistantMessage) -> bool:
        """True when what only its maker understands may go back to this target."""
        return self.issued(message) and message.model == self.model

    def issued(self, message: AssistantMessage) -> bool:
        """True when the tool-call ids of the message come from this target."""
        return (message.provider, message.dialect) == (self.provider, self.dialect)


@dataclass(slots=True, kw_only=True)
class _Exchange:
    """A prompt, or an answer with the results of its calls by position."""

    message: UserMessage | AssistantMessage
    results: dict[int, ToolResultMessage] = field(default_factory=dict[int, ToolResultMessage])

    @property
    def calls(self) -> list[ToolCallBlock]:
        return _calls(self.message.blocks) if isinstance(self.message, AssistantMessage) else []

    def open_call(self, call_id: str) -> int | None:
        """The position of the first call with this id that has no result yet."""
        calls = enumerate(self.calls)
        return next((at for at, call in calls if call.call_id == call_id and at not in self.results), None)


_Notes = Counter[tuple[str, str]]
"""How often what was changed: a countable noun, and what happened to it."""


def _sentences(notes: _Notes) -> Iterator[str]:
    for (noun, what), count in notes.items():
        yield f"{count} {noun}{'' if count == 1 else 's'} {what}"


def _paired(messages: tuple[Message, ...], notes: _Notes) -> list[_Exchange]:
    """Give each result to the newest call of its id that still lacks one."""
    exchanges: list[_Exchange] = []
    for message in messages:
        match message:
            case UserMessage() | AssistantMessage():
                exchanges.append(_Exchange(message=message))
            case ToolResultMessage():
                found = ((each, each.open_call(message.call_id)) for each in reversed(exchanges))
                exchange, position = next(((e, at) for e, at in found if at is not None), (None, 0))
                if exchange is None:
                    notes["tool result", "without a call left out"] += 1
                    continue
                if exchange is not exchanges[-1] or any(at > position for at in exchange.results):
                    notes["tool result", "put right after the call"] += 1
                exchange.results[position] = message
    return exchanges


@dataclass(slots=True, kw_only=True)
class _Work:
    """The history as it is being rewritten, oldest message first."""

    target: _Target
    out: list[Message] = field(default_factory=list[Message])
    notes: _Notes = field(default_factory=_Notes)
    used_ids: set[str] = field(default_factory=set[str])

    def add(self, exchange: _Exchange, *, unfinished: bool) -> None:
        match exchange.message:
            case UserMessage() as prompt:
                self._add_prompt(prompt)
            case AssistantMessage() as message:
                self._add_answer(message, exchange, unfinished=unfinished)

    def close(self, *, continuation: bool) -> None:
        """The model is asked something: the last word is not its own."""
        last = self.out[-1] if self.out else None
        if not isinstance(last, AssistantMessage):
            return
        if not (self._paused(last) or (continuation and self.target.signed(last))):
            self._go_on()

    def _add_prompt(self, prompt: UserMessage) -> None:
        blocks = tuple(block for block in prompt.blocks if not (isinstance(block, TextBlock) and _blank(block)))
        if len(blocks) != len(prompt.blocks):
            self.notes["empty text block", "left out"] += len(prompt.blocks) - len(blocks)
        if blocks:
            self.out.append(replace(prompt, blocks=blocks))
        elif not prompt.blocks:
            self.notes["empty prompt", "left out"] += 1

    def _add_answer(self, message: AssistantMessage, exchange: _Exchange, *, unfinished: bool) -> None:
        signed = self.target.signed(message)
        as_it_is = signed and unfinished and bool(message.blocks)
        kept = list(message.blocks) if as_it_is else self._kept(message, signed=signed)
        if not (as_it_is or _has_content(kept)):
            self.notes["empty answer", "left out"] += 1
            return
        ids = iter(self._ids(_calls(kept), issued=self.target.issued(message)))
        blocks = [self._call(block, next(ids)) if isinstance(block, ToolCallBlock) else block for block in kept]
        self._alternate(message)
        self.out.append(replace(message, blocks=tuple(blocks)))
        for position, call in enumerate(_calls(blocks)):
            self.out.append(self._result(exchange.results.get(position), call))

    def _kept(self, message: AssistantMessage, *, signed: bool) -> list[AssistantBlock]:
        """The blocks that may go to the target, in their order."""
        origin = f"of {message.provider}/{message.model}"
        blocks: list[AssistantBlock] = []
        for block in message.blocks:
            match block:
                case ThinkingBlock() if not signed or not self._sendable(block):
                    self.notes["thinking block", f"{origin} left out"] += 1
                case ServerBlock() if not signed:
                    self.notes["provider block", f"{origin} left out"] += 1
                case TextBlock() if _blank(block) and not (signed and self._may_be_blank(block)):
                    self.notes["empty text block", "left out"] += 1
                case TextBlock() | ToolCallBlock() if not signed and block.provider_metadata is not None:
                    self.notes["block", f"{origin} sent without provider metadata"] += 1
                    blocks.append(replace(block, provider_metadata=None))
                case _:
                    blocks.append(block)
        while blocks and isinstance(blocks[-1], ThinkingBlock):
            self.notes["thinking block", "that nothing followed left out"] += 1
            blocks.pop()
        return blocks

    def _sendable(self, block: ThinkingBlock) -> bool:
        """Anthropic wants a signature on all thinking (servers like it may sign with nothing); text it must have."""
        if block.redacted or block.signature or block.provider_metadata is not None:
            return True
        may_be_unsigned = self.target.dialect != "anthropic_messages" or block.signature is not None
        return may_be_unsigned and bool(block.text.strip())

    def _may_be_blank(self, block: TextBlock) -> bool:
        """An item that earlier reasoning refers to stays, even empty; Anthropic refuses blank text altogether."""
        return block.provider_metadata is not None and self.target.dialect != "anthropic_messages"

    def _alternate(self, message: AssistantMessage) -> None:
        """See to it that a prompt or a result comes before this answer."""
        before = self.out[-1] if self.out else None
        match before:
            case UserMessage() | ToolResultMessage():
                return
            case AssistantMessage() if self._paused(before) and self.target.signed(message):
                return
            case _:
                self._go_on()

    def _paused(self, message: AssistantMessage) -> bool:
        """True when the server has not finished what it began in this answer, and may go on with it."""
        return self.target.signed(message) and isinstance(message.blocks[-1], ServerBlock)

    def _go_on(self) -> None:
        self.notes["prompt", f'"{_text(CONTINUE)}" added next to an answer'] += 1
        self.out.append(CONTINUE)

    def _call(self, call: ToolCallBlock, call_id: str) -> ToolCallBlock:
        """The call as the target takes it: a lawful id and name, and arguments that are an object."""
        if call_id != call.call_id:
            self.notes["tool-call id", f"rewritten for {self.target.provider}"] += 1
        name = call.name
        if not _NAME.fullmatch(name):
            self.notes["tool name", "rewritten"] += 1
            name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "unknown"
        arguments = call.arguments
        if isinstance(arguments, InvalidArguments):
            self.notes["tool call", "with broken arguments sent as an object"] += 1
            arguments = {"unparsed_arguments": arguments.raw}
        return replace(call, call_id=call_id, name=name, arguments=arguments)

    def _result(self, result: ToolResultMessage | None, call: ToolCallBlock) -> ToolResultMessage:
        if result is None:
            self.notes["tool call", "without a result answered with an error"] += 1
            return ToolResultMessage(call_id=call.call_id, name=call.name, content=NO_RESULT, is_error=True)
        if (result.call_id, result.name) == (call.call_id, call.name):
            return result
        if result.call_id == call.call_id:
            self.notes["tool result", "named after its call"] += 1
        return replace(result, call_id=call.call_id, name=call.name)

    def _ids(self, calls: list[ToolCallBlock], *, issued: bool) -> list[str]:
        """The ids of one answer's calls: kept where the target takes them, else made from what they were."""
        ids: list[str] = []
        for call in calls:
            known = call.call_id
            clash = known in ids or (known in self.used_ids and (not issued or self._unique))
            if clash or not self._lawful(known, issued=issued):
                known = self._new_id(known)
            ids.append(known)
            self.used_ids.add(known)
        return ids

    @property
    def _unique(self) -> bool:
        return self.target.dialect in _UNIQUE_IDS

    def _lawful(self, call_id: str, *, issued: bool) -> bool:
        if issued and not self.target.id_pattern and not self._unique:
            return bool(call_id)
        return re.fullmatch(self._pattern, call_id) is not None

    @property
    def _pattern(self) -> str:
        return self.target.id_pattern or _ID_PATTERNS.get(self.target.dialect, _ID_PATTERN)

    def _new_id(self, call_id: str) -> str:
        """An unused id of the target's shape; the same history always gives the same one."""
        attempt = 0
        while True:
            made = _made_id(f"{attempt}:{call_id}", self._pattern)
            if made not in self.used_ids:
                return made
            attempt += 1


def _made_id(seed: str, pattern: str) -> str:
    """An id made of ``seed`` that matches ``pattern``: letters and digits, as long as the pattern wants it."""
    number = int.from_bytes(hashlib.sha512(seed.encode("utf-8", "surrogatepass")).digest())
    digits = ""
    while len(digits) < 64:
        number, digit = divmod(number, 36)
        digits += _DIGITS[digit]
    shapes = [f"call_{digits[:20]}", *(digits[:length] for length in (24, 16, 9, *range(64, 7, -1)))]
    made = next((shape for shape in shapes if re.fullmatch(pattern, shape)), None)
    if made is None:
        raise ProviderConfigError(
            f"No tool-call id of letters and digits matches the pattern {pattern!r}: "
            "correct tool_call_id_pattern of this provider."
        )
    return made


def _calls(blocks: Sequence[AssistantBlock]) -> list[ToolCallBlock]:
    return [block for block in blocks if isinstance(block, ToolCallBlock)]


def _blank(block: TextBlock) -> bool:
    return not block.text.strip()


def _has_content(blocks: Sequence[AssistantBlock]) -> bool:
    return any(not isinstance(b, ThinkingBlock) and not (isinstance(b, TextBlock) and _blank(b)) for b in blocks)


def _text(prompt: UserMessage) -> str:
    return "".join(block.text for block in prompt.blocks if isinstance(block, TextBlock))
