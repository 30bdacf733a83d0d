"""Why a model stopped, in the words of every service, as one of our reasons.

Services that imitate a protocol keep their own words for this, or those of another protocol, so there is one table
for all dialects. A word nobody knows is ``OTHER``: the answer stands, whatever ended it.
"""

from .events import StopReason

_WORDS: dict[StopReason, str] = {
    StopReason.END_TURN: "stop stopped stop_sequence end_turn eos eos_token eos_found complete completed",
    StopReason.TOOL_CALLS: "tool_calls tool_call tool_use function_call function_calls",
    StopReason.MAX_TOKENS: "length max_tokens max_output_tokens max_length model_length length_limit "
    "max_new_tokens max_context_length context_length model_context_window_exceeded",
    StopReason.CONTENT_FILTER: "content_filter content_filtered safety recitation blocklist prohibited_content spii "
    "sensitive error_toxic guardrail_intervened",
    StopReason.REFUSAL: "refusal",
    StopReason.PAUSE_TURN: "pause_turn",
}
_REASONS = {word: reason for reason, words in _WORDS.items() for word in words.split()}


def stop_reason(word: str) -> StopReason:
    """The reason a word stands for, however it is spelled; no word at all is an ordinary end."""
    if not word:
        return StopReason.END_TURN
    return _REASONS.get(word.strip().lower().replace("-", "_").replace(" ", "_"), StopReason.OTHER)
