"""What servers' lists of models say, in the shapes OpenAI, OpenRouter, vLLM, llama.cpp, Together and Anthropic use."""

from .base import ModelInfo, ModelRef
from .events import JsonObject, JsonValue
from .json_values import as_list, as_object, as_text, first_count


def model_rows(listing: JsonValue) -> list[JsonObject]:
    """The rows of a listing: ``data`` (most servers), ``models``, or the listing itself (Together)."""
    rows = listing
    if isinstance(listing, dict):
        rows = as_list(listing.get("data")) or as_list(listing.get("models"))
    return [row for row in as_list(rows) if isinstance(row, dict)]


def model_id(row: JsonObject) -> str:
    """The id requests name the model by."""
    return as_text(row.get("id")) or as_text(row.get("model")) or as_text(row.get("name"))


def model_facts(ref: ModelRef, row: JsonObject) -> ModelInfo:
    """The facts in a row, in tokens; what it does not say stays None. Prices are the catalogue's business."""
    provider = as_object(row.get("top_provider"))
    meta = as_object(row.get("meta"))
    window = first_count(row, "context_length", "max_model_len", "context_window", "max_context_length")
    parameters = as_list(row.get("supported_parameters"))
    inputs = as_list(as_object(row.get("architecture")).get("input_modalities"))
    return ModelInfo(
        ref=ref,
        context_window=window or first_count(meta, "n_ctx") or first_count(row, "max_input_tokens"),
        max_output=first_count(provider, "max_completion_tokens") or first_count(row, "max_tokens"),
        tools="tools" in parameters if parameters else None,
        thinking="reasoning" in parameters if parameters else None,
        vision="image" in inputs if inputs else None,
    )
