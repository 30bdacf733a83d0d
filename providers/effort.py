"""Thinking effort: one scale for the person, and what each service and model understands by it.

The words follow the services' public API references. Where a model cannot stop thinking, ``off`` is the least it
can do; where it knows no ``max``, that is its most. Nothing is sent for the default effort, nor to a model known not
to think; a server that refuses the field all the same is heard (see ``learnt``).
"""

import re
from collections.abc import Sequence

from .events import JsonObject, JsonValue
from .json_values import as_list, as_object
from .messages import AssistantMessage, ChatRequest, Effort, ThinkingBlock, UserMessage

_Words = tuple[str, str, str, str, str]
"""For off, low, medium, high and max."""

_FULL: _Words = ("none", "low", "medium", "high", "high")
_WIDER: _Words = ("none", "low", "medium", "high", "xhigh")
_ALWAYS: _Words = ("low", "low", "medium", "high", "high")

_WORDS: dict[str, tuple[tuple[str, _Words], ...]] = {
    "openai": (
        (r"gpt-5\.1-codex-max|gpt-5\.[2-9]|gpt-[6-9]", _WIDER),
        (r"gpt-5\.1", _FULL),
        (r"gpt-5.*codex", _ALWAYS),
        (r"gpt-5", ("minimal", "low", "medium", "high", "high")),
        (r"o\d|gpt-oss", _ALWAYS),
        (r"", _FULL),
    ),
    "openrouter": (("", _WIDER),),
    "deepseek": (("", ("", "low", "high", "high", "max")),),
    "groq": ((r"qwen", ("none", "default", "default", "default", "default")), (r"", _ALWAYS)),
    "mistral": (("", ("none", "high", "high", "high", "high")),),
    "fireworks": (("", _ALWAYS),),
    "xai": ((r"grok-3-mini", ("low", "low", "high", "high", "high")), (r"", _ALWAYS)),
    "template": (("", ("", "low", "medium", "high", "high")),),
}
"""By style (``Quirks.effort``): the first pattern the model's name begins with counts."""

_NO_SUMMARY = frozenset({"none", "minimal"})
"""Efforts that leave no reasoning to sum up."""

_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:-(\d{1,2}))?(?!\d)")
_FIRST_THINKING = (3, 7)
_FIRST_ADAPTIVE = (4, 6)
"""From here on Claude decides by itself how long to think, and takes a word for it instead of a budget."""
_LAST_WITH_TEMPERATURE = (4, 6)
_WITH_DISPLAY = (4, 0)
"""From here on the summary of the thinking can be asked for; the newest leave it out unasked."""

_BUDGETS = {Effort.LOW: 4_096, Effort.MEDIUM: 12_288, Effort.HIGH: 24_576, Effort.MAX: 49_152}
"""Tokens of thinking, for models that want a number."""
_LEAST_BUDGET = 1_024

_THINKING_REFUSED = re.compile(
    r"invalid .?signature.? in .?thinking|expected .?thinking.? or .?redacted_thinking"
    r"|.?thinking.? or .?redacted_thinking.? blocks in the latest assistant message cannot be modified",
    re.IGNORECASE,
)


def chat_effort(style: str, request: ChatRequest) -> JsonObject:
    """The fields of a Chat Completions request. ``style`` is the endpoint's, "" for one that takes none."""
    if not style or not _wanted(request):
        return {}
    word = _word(style, request)
    off = request.effort is Effort.OFF
    match style:
        case "openrouter":
            return {"reasoning": {"effort": word}}
        case "deepseek":
            return {"thinking": {"type": "disabled"}} if off else {"thinking": {"type": "enabled"}, **_plain(word)}
        case "template":
            switch: JsonObject = {"chat_template_kwargs": {"enable_thinking": not off}}
            return switch if off else switch | _plain(word)
        case _:
            return _plain(word)


def responses_effort(request: ChatRequest) -> JsonObject:
    """The fields of a Responses request; what is thought is shown as a summary, which must be asked for."""
    if not _wanted(request):
        return {}
    word = _word("openai", request)
    return {"reasoning": {"effort": word} if word in _NO_SUMMARY else {"effort": word, "summary": "auto"}}


def ollama_effort(request: ChatRequest) -> JsonObject:
    """The field of a native Ollama request: a switch, or a word for the family that cannot be switched off."""
    if not _wanted(request):
        return {}
    if _short(request.model).startswith("gpt-oss"):
        return {"think": _word("fireworks", request)}
    return {"think": request.effort is not Effort.OFF}


def anthropic_effort(request: ChatRequest, max_tokens: int) -> JsonObject:
    """The fields of a Messages request that may produce ``max_tokens``, thinking included.

    A forced tool call rules thinking out, and so does, where thinking has a budget, a running tool loop that began
    without it.
    """
    version = _claude(request.model)
    if not _wanted(request) or (version is not None and version < _FIRST_THINKING):
        return {}
    if request.effort is Effort.OFF:
        # Off is the default of those that get a budget; other makers' models may think unasked.
        return {} if version is not None and version < _FIRST_ADAPTIVE else {"thinking": {"type": "disabled"}}
    if request.tool_choice == "required":
        return {}
    shown: JsonObject = {"display": "summarized"} if version is not None and version >= _WITH_DISPLAY else {}
    if version is not None and version >= _FIRST_ADAPTIVE:
        return {"thinking": {"type": "adaptive", **shown}, "output_config": {"effort": request.effort.value}}
    budget = min(_BUDGETS[request.effort], max_tokens * 3 // 4)
    if budget < _LEAST_BUDGET or _began_without_thinking(request):
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget, **shown}}


def anthropic_takes_temperature(model: str) -> bool:
    """Newer Claude models refuse any."""
    version = _claude(model)
    return version is None or version <= _LAST_WITH_TEMPERATURE


def thinking_refused(said: str) -> bool:
    """Whether a Messages server refuses thinking that was kept, or misses some, in a conversation that goes on."""
    return _THINKING_REFUSED.search(said) is not None


def without_thinking(body: JsonObject, name: str) -> tuple[JsonObject, str]:
    """A Messages request without any thinking, old or to come, and the words for it; ``name`` is the provider's."""
    kept: JsonObject = {key: value for key, value in body.items() if key not in ("thinking", "output_config")}
    kept["messages"] = [_without_thoughts(as_object(message)) for message in as_list(body.get("messages"))]
    return kept, f"{name} did not accept the thinking kept in this conversation: asked again without it."


def _without_thoughts(message: JsonObject) -> JsonValue:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    said = [block for block in content if as_object(block).get("type") not in ("thinking", "redacted_thinking")]
    return {**message, "content": [*said] or [{"type": "text", "text": "(thinking)"}]}


def _wanted(request: ChatRequest) -> bool:
    return request.effort is not Effort.DEFAULT and request.thinks is not False


def _plain(word: str) -> JsonObject:
    return {"reasoning_effort": word}


def _word(style: str, request: ChatRequest) -> str:
    name = _short(request.model)
    words = next(words for pattern, words in _WORDS[style] if re.match(pattern, name))
    scale: Sequence[Effort] = (Effort.OFF, Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.MAX)
    return words[scale.index(request.effort)]


def _short(model: str) -> str:
    """The model's name without its maker."""
    return model.rpartition("/")[2].lower()


def _claude(model: str) -> tuple[int, int] | None:
    """The version of a Claude model; None for another maker's."""
    found = _CLAUDE.search(_short(model).replace(".", "-"))
    return None if found is None else (int(found[1]), int(found[2] or 0))


def _began_without_thinking(request: ChatRequest) -> bool:
    """Whether the model called tools in this turn without thinking first: it must not begin to in between."""
    for message in reversed(request.messages):
        match message:
            case UserMessage():
                return False
            case AssistantMessage(blocks=(first, *_)) if not isinstance(first, ThinkingBlock):
                return True
            case _:
                pass
    return False
