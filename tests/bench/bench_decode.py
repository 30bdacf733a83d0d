"""What decoding a stream costs, as a multiple of ``json.loads`` over the same payloads plus a bare line split."""

import json
import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from patchbay.providers.anthropic_messages import AnthropicMessages
from patchbay.providers.decoder import AnswerBody
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import TextDelta
from patchbay.providers.http import DialectProvider
from patchbay.providers.openai_chat import OpenAIChat

CHUNK = 16_384
ROUNDS = 5
MOST = 3.0
GROWTH = 1.5
"""Twice the stream may cost at most this much more than twice."""


def chat(deltas: int) -> Iterator[dict]:
    frame = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "fp"}
    for number in range(deltas):
        choice = {"index": 0, "delta": {"content": f" word{number % 97}"}, "logprobs": None, "finish_reason": None}
        yield frame | {"choices": [choice]}
    yield frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def messages(deltas: int) -> Iterator[dict]:
    yield {"type": "message_start", "message": {"id": "m-1", "model": "m", "usage": {"input_tokens": 5}}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for number in range(deltas):
        delta = {"type": "text_delta", "text": f" word{number % 97}"}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": deltas}}
    yield {"type": "message_stop"}


def stream_of(payloads: Iterator[dict]) -> bytes:
    return "".join(f"data: {json.dumps(payload)}\n\n" for payload in payloads).encode()


def bare(body: bytes) -> int:
    return sum(1 for line in body.split(b"\n") if line.startswith(b"data: ") and json.loads(line[6:]))


def decoded(provider: DialectProvider, body: bytes) -> int:
    answer = AnswerBody(provider.new_decoder())
    texts = 0
    for start in range(0, len(body), CHUNK):
        texts += sum(isinstance(event, TextDelta) for event in answer.feed(body[start : start + CHUNK]))
    return texts


def cpu_seconds(work: Callable[[], int]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


@pytest.mark.parametrize(("dialect", "payloads"), [(OpenAIChat, chat), (AnthropicMessages, messages)])
def test_decoding_costs_little_more_than_json_and_stays_linear(dialect: type[DialectProvider], payloads) -> None:
    provider = dialect(Endpoint(name="bench", dialect="bench", base_url="http://127.0.0.1:9/v1"))
    half, whole = (stream_of(payloads(deltas)) for deltas in (15_000, 30_000))
    assert decoded(provider, half) == 15_000
    ratios, growths = [], []
    for _ in range(ROUNDS):
        floor = cpu_seconds(lambda: bare(whole))
        ours = cpu_seconds(lambda: decoded(provider, whole))
        ratios.append(ours / floor)
        growths.append(ours / (2 * cpu_seconds(lambda: decoded(provider, half))))
    ratio, growth = statistics.median(ratios), statistics.median(growths)
    print(f"\n{dialect.__name__}: {len(whole) / 1e6:.1f} MB, {ratio:.2f}x json.loads and a split, growth {growth:.2f}x")
    assert ratio <= MOST
    assert growth <= GROWTH
