"""Tool calling for models that have none of their own, and calls that others print as text.

``TextTools`` wraps a provider, so that neither dialects nor the turn runner know of it. What it does for a request
depends on the model:

- **No tool calling** (``ModelInfo.tools`` is False, or the server refused tools once): the tools go into the system
  prompt, the history is told in words, and the answer is read for calls (``text_tools_parser`` has the rules).
- **Tool calling**: tools are sent by the protocol. When the answer brings no call by the protocol but prints some,
  those count, if the whole answer is calls or they have tags of their own. Only for the protocols that servers of
  open models speak; the makers of the others parse their models' calls themselves.
- **Small models** get fewer tools in either case.

Thinking written into the answer as ``<think>…</think>`` becomes thinking.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from .base import ModelInfo, Provider, ProviderConfigError
from .blocks import make_call_id
from .capability import ToolCalling, few, refuses_tools, why_small
from .events import (
    ErrorKind,
    Notice,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    ToolCallEnd,
)
from .messages import ChatRequest, TextBlock, ToolResultMessage, ToolSpec, UserMessage
from .text_tools_answer import RewrittenAnswer
from .text_tools_calls import CallReader
from .text_tools_parser import AnswerParser
from .text_tools_prompt import in_words, with_thoughts

PROBE_TOKENS = 256
"""The most a probe lets a model answer."""
_LEAKING_DIALECTS = frozenset({"openai_chat", "ollama"})
_PROBE_TOOL = ToolSpec(
    name="add",
    description="Adds two whole numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
_PROBE_PROMPT = UserMessage(blocks=(TextBlock(text="Use the tool add to add 17 and 25. Do not answer without it."),))


class TextTools:
    """A provider with tool calling for every model. Implements ``Provider``; concurrency-safe like what it wraps."""

    def __init__(
        self,
        inner: Provider,
        facts: Callable[[str], ModelInfo],
        *,
        new_call_id: Callable[[], str] = make_call_id,
    ) -> None:
        """``facts`` tells what is known of a model now; it is asked at every request."""
        self._inner = inner
        self._facts = facts
        self._new_call_id = new_call_id
        self._refused: set[str] = set()
        """Models that the server takes no tools for."""
        self._thinks_first: set[str] = set()
        """Models whose answers begin inside of thinking, as an earlier one showed."""
        self._told: set[str] = set()
        self._probed: dict[str, ToolCalling] = {}

    @property
    def name(self) -> str:
        """The name of the wrapped provider."""
        return self._inner.name

    @property
    def dialect(self) -> str:
        """The wire protocol of the wrapped provider."""
        return self._inner.dialect

    @property
    def inner(self) -> Provider:
        """The wrapped provider."""
        return self._inner

    async def list_models(self) -> list[str]:
        """The ids the server offers. Raises ``ProviderConfigError`` with cause and fix."""
        return await self._inner.list_models()

    async def list_infos(self) -> list[ModelInfo]:
        """The models the server offers, with what its list says of them."""
        return await self._inner.list_infos()

    async def model_info(self, model: str) -> ModelInfo | None:
        """What the server itself says of the model; None when it says nothing."""
        return await self._inner.model_info(model)

    async def is_available(self) -> bool:
        """True when the server answers; never raises."""
        return await self._inner.is_available()

    async def aclose(self) -> None:
        """Close pooled connections."""
        await self._inner.aclose()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ResponseEvent, None]:
        """Answer one request; see ``base.Provider.stream``. A model that turns out to take no tools is asked again."""
        model = self._facts(request.model)
        if (why := why_small(model)) and (fewer := few(request.tools)) != request.tools:
            request = replace(request, tools=fewer)
            if request.model not in self._told:
                self._told.add(request.model)
                names = ", ".join(tool.name for tool in fewer)
                yield Notice(message=f"{request.model} gets only the tools {names}: {why}.")
        if not self._in_words(model):
            started, refusal = False, ""
            async with aclosing(self._rewritten(request, in_text=False)) as events:
                async for event in events:
                    started = started or isinstance(event, ResponseStart)
                    if request.tools and not started and isinstance(event, ResponseError) and refuses_tools(event):
                        refusal = event.message
                        break
                    yield event
            if not refusal:
                return
            self._refused.add(request.model)
            yield Notice(message=f"Tools are described to {request.model} in its prompt from now on: {refusal}")
        async with aclosing(self._rewritten(request, in_text=True)) as events:
            async for event in events:
                yield event

    async def probe(self, model: str, *, max_tokens: int = PROBE_TOKENS) -> ToolCalling:
        """Find out how a model calls tools, by asking it to: once, later calls give the same answer.

        A model that calls tools only in text is treated so from then on; so is one whose server fails, twice, only
        when it is given tools. Raises ``ProviderConfigError`` when the server does not answer.
        """
        if model not in self._probed:
            found = self._probed[model] = await self._asked(model, max_tokens)
            if found is ToolCalling.TEXT:
                self._refused.add(model)
        return self._probed[model]

    def _in_words(self, model: ModelInfo) -> bool:
        return model.tools is False or model.ref.model in self._refused

    async def _rewritten(self, request: ChatRequest, *, in_text: bool) -> AsyncGenerator[ResponseEvent, None]:
        """The answer with calls and thinking found in its text."""
        if not in_text and self.dialect not in _LEAKING_DIALECTS:
            async with _closing(self._inner.stream(request)) as events:
                async for event in events:
                    yield event
            return
        sent = in_words(request) if in_text else replace(request, messages=with_thoughts(request.messages))
        answer = RewrittenAnswer(self._parser(request, in_text=in_text), self._new_call_id)
        async with _closing(self._inner.stream(sent)) as events:
            async for event in events:
                for each in answer.take(event):
                    yield each
        if answer.parser.orphan:
            self._thinks_first.add(request.model)
        elif answer.parser.misjudged:
            self._thinks_first.discard(request.model)

    def _parser(self, request: ChatRequest, *, in_text: bool) -> AnswerParser:
        shown = [message.content for message in request.messages if isinstance(message, ToolResultMessage)]
        tools = () if request.tool_choice == "none" else request.tools
        reader = CallReader(tools, shown)
        return AnswerParser(reader, fences=in_text, thought_first=request.model in self._thinks_first)

    async def _asked(self, model: str, max_tokens: int) -> ToolCalling:
        request = ChatRequest(
            model=model,
            messages=(_PROBE_PROMPT,),
            tools=(_PROBE_TOOL,),
            max_tokens=max_tokens,
            context_window=self._facts(model).context_window,  # another window would make Ollama load it again
        )
        native = await _called(self._inner.stream(request))
        if _is_server_error(native):  # was it only busy, or can it not read what its model calls (llama.cpp: 500)?
            native = await _called(self._inner.stream(request))
        if native is True:
            return ToolCalling.NATIVE
        if isinstance(native, ResponseError) and not _is_server_error(native):
            raise ProviderConfigError(native.message)
        called = await _called(self._rewritten(request, in_text=True))
        match called:
            case ResponseError(message=message):
                raise ProviderConfigError(message)
            case None:
                return ToolCalling.UNCLEAR
            case _:
                return ToolCalling.TEXT if called else ToolCalling.NONE


async def _called(events: AsyncIterator[ResponseEvent]) -> bool | ResponseError | None:
    """Whether an answer has a call; None when it was cut before one, the error when it failed otherwise."""
    called = False
    async with _closing(events):
        async for event in events:
            match event:
                case ToolCallEnd():
                    called = True
                case ResponseError() if not refuses_tools(event):
                    return event
                case ResponseEnd(stop_reason=StopReason.MAX_TOKENS) if not called:
                    return None
                case _:
                    pass
    return called


def _is_server_error(found: bool | ResponseError | None) -> bool:
    return isinstance(found, ResponseError) and found.kind is ErrorKind.SERVER_ERROR


@asynccontextmanager
async def _closing(events: AsyncIterator[ResponseEvent]) -> AsyncGenerator[AsyncIterator[ResponseEvent], None]:
    """The stream, closed at the end of the block: only then the connection is let go at once."""
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
