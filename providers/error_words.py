"""What kind of error a server's words mean: its texts and codes, as the services phrase them.

Only wordings that say what is wrong whatever the status are here. The first pattern that fits decides.
"""

import re

from .events import ErrorKind

_CONTEXT_OVERFLOW = (
    r"prompt is too long|prompt too long|input is too long|context_length_exceeded|exceed_context_size"
    r"|exceed\w* (?:the |this )?(?:model(?:'?s)? |available |max(?:imum)? )*context|maximum context length"
    r"|context window (?:is )?exceed|maximum prompt length is"
    r"|reduce the length of the (?:messages|prompt|input)"
    r"|trying to keep the first|greater than the context length|tokens_limit_reached"
    r"|input token count .{0,40}exceeds the maximum"
    r"|longer than the (?:model'?s |maximum )+(?:context|model|sequence) length"  # SGLang, vLLM
    r"|max_prompt_tokens_exceeded|token count of \d+ exceeds"  # GitHub Copilot
    r"|exceed\w* (?:the )?model(?:'?s)? token limit"  # Moonshot
    r"|range of input length should be"  # DashScope
    r"|prompt exceeds max(?:imum)? length"  # Z.ai
    r"|tokens`? \+ `?max_new_tokens|inputs`? must have less than"  # TGI
    r"|(?:number of (?:input |prompt )?tokens|tokens in the prompt)\b.{0,40}\b(?:cannot|must not|can not) exceed"
    r"|maximum sequence length|max(?:imum)? input (?:length|tokens)\b.{0,40}\bexceed"
    r"|model_context_window_exceeded"
)
_QUOTA = (
    r"insufficient[_ ](?:account )?(?:quota|balance|credits?|funds)|credit balance is too low|billing_hard_limit"
    r"|exceeded your current quota(?![\s\S]*(?:retry in|RESOURCE_EXHAUSTED))|requires more credits"
    r"|exceeded_current_quota|not[_ ]enough[_ ](?:balance|credits?|funds)|used all (?:your |available )*credits"
    r"|out of credits|spending limit|account is in good standing|arrearage|payment[_ ]required"
    r"|balance is (?:too low|negative)|(?:weekly|monthly) usage limit"
)
_AUTHENTICATION = (
    r"(?:incorrect|invalid|wrong|missing) (?:x-)?api[ -]?key|invalid_api_key|invalidapikey|authentication_error"
    r"|api[ -]?key (?:is )?(?:not valid|invalid|missing)|no auth credentials|API_KEY_INVALID"
    r"|invalid (?:api |access |bearer |authentication )*token\b|login fail"
    r"|expired (?:api key|token)|token (?:has )?expired"
)
_NOT_FOUND = (
    r"model_not_(?:found|supported|available)|not_found_error|unknown[ _]model\b|no such model"
    r"|model identifier is invalid"
    r"|\bmodel\b[^.\n]{0,80}(?:does not exist|not exist|not found)\b"
)

_TEXTS: tuple[tuple[ErrorKind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (ErrorKind.CONTEXT_OVERFLOW, _CONTEXT_OVERFLOW),
        (ErrorKind.QUOTA, _QUOTA),
        (ErrorKind.AUTHENTICATION, _AUTHENTICATION),
        (
            ErrorKind.INVALID_REQUEST,
            r"requires --jinja|image input is not supported|does not support (?:image|multimodal|tool)",
        ),
        (ErrorKind.NOT_FOUND, _NOT_FOUND),
        (
            ErrorKind.RATE_LIMIT,
            r"rate_limit|rate limit|too many requests|too many tokens, please wait"
            r"|throttlingexception|request_limit_exceeded",
        ),
        (ErrorKind.OVERLOADED, r"overloaded|over capacity|loading model|insufficient_system_resource"),
    )
)

TYPES: dict[str, ErrorKind] = {
    "permission_error": ErrorKind.PERMISSION,
    "billing_error": ErrorKind.QUOTA,
    "timeout_error": ErrorKind.TIMEOUT,
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
    "BadRequestError": ErrorKind.INVALID_REQUEST,
    "validation": ErrorKind.INVALID_REQUEST,
    "tool_use_failed": ErrorKind.INVALID_REQUEST,
    "api_error": ErrorKind.SERVER_ERROR,
    "server_error": ErrorKind.SERVER_ERROR,
    "internal_server_error": ErrorKind.SERVER_ERROR,
}
"""Kinds of error objects that come without a status, inside a 200 stream."""


def kind_of_words(words: str) -> ErrorKind | None:
    """The kind of error that a server's codes and message mean; None when they do not say."""
    return next((kind for kind, pattern in _TEXTS if pattern.search(words)), None)
