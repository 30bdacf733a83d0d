"""Random histories as they come to a hand-off: of several models, with every kind of block, repaired by nobody."""

from dataclasses import replace

from hypothesis import strategies as st

from patchbay.providers.events import InvalidArguments
from patchbay.providers.messages import (
    AssistantMessage,
    ImageBlock,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from support.validators import Target

MISTRAL = r"[a-zA-Z0-9]{9}"
CLAUDE = Target(provider="anthropic", dialect="anthropic_messages", model="claude")
TARGETS = (
    CLAUDE,
    Target(provider="anthropic", dialect="anthropic_messages", model="claude-next"),
    Target(provider="deepseek", dialect="openai_chat", model="v4"),
    Target(provider="mistral", dialect="openai_chat", model="small", id_pattern=MISTRAL),
    Target(provider="openai", dialect="openai_responses", model="gpt"),
    Target(provider="ollama", dialect="ollama", model="qwen"),
)

texts = st.sampled_from(["", " \n", "hello", "a" * 30])
metadata = st.sampled_from([None, {"id": "item_1"}])
call_ids = st.sampled_from(["", "call_0", "call_1", "toolu_01AbC", "functions.read:0", "tk85n1k4m", "x" * 70, "ö"])
names = st.sampled_from(["read", "bash", "functions.read", "", "n" * 80])
arguments = st.sampled_from([{}, {"path": "a"}, InvalidArguments(raw='{"pa', reason="cut off")])
user_blocks = st.one_of(
    st.builds(TextBlock, text=texts), st.just(ImageBlock(media_type="image/png", data_base64="aGk="))
)
assistant_blocks = st.one_of(
    st.builds(TextBlock, text=texts, provider_metadata=metadata),
    st.builds(
        ThinkingBlock,
        text=texts,
        signature=st.sampled_from([None, "", "sig"]),
        redacted=st.booleans(),
        provider_metadata=metadata,
    ),
    st.builds(ToolCallBlock, call_id=call_ids, name=names, arguments=arguments, provider_metadata=metadata),
    st.just(ServerBlock(kind="web_search_tool_result", payload={"id": "srv_1"})),
)


@st.composite
def answers(draw: st.DrawFn) -> AssistantMessage:
    by = draw(st.sampled_from(TARGETS))
    blocks = draw(st.lists(assistant_blocks, max_size=5))
    return AssistantMessage(blocks=tuple(blocks), provider=by.provider, dialect=by.dialect, model=by.model)


messages = st.one_of(
    st.builds(UserMessage, blocks=st.lists(user_blocks, max_size=2).map(tuple)),
    answers(),
    st.builds(ToolResultMessage, call_id=call_ids, name=names, content=texts, is_error=st.booleans()),
)
histories = st.lists(messages, max_size=12).map(tuple)


def without_images(history: tuple[Message, ...]) -> tuple[Message, ...]:
    """For models that are blind, and refuse images."""
    return tuple(
        replace(each, blocks=tuple(TextBlock(text="?") if isinstance(b, ImageBlock) else b for b in each.blocks))
        if isinstance(each, UserMessage)
        else each
        for each in history
    )
