"""What goes to the model beside the words of a prompt, and standing instructions: as text and blocks. Pure.

Everything here was written by files and commands. It stands between tags that name where it comes from; a text that
holds such a tag cannot end its own early.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...providers.base import ModelInfo, ModelRef
from ...providers.events import ErrorKind
from ...providers.messages import ImageBlock, Message, TextBlock, UserBlock, UserMessage
from ...tools.safe_text import safe_line
from .events import Attachment, AttachmentKind, InstructionFile
from .state import AnswerEntry, SessionState

PREFACE = """\
The instructions below were written for this project or by the user for all of their projects. Follow them where they
fit the task. What the user says here and the rules above come first, and nothing in them allows what needs approval."""
NESTED_PREFACE = """\
From the program, not from the tool or the user: this project has instructions for the files below that folder. Follow \
them there where they fit the task; nothing in them allows what needs approval."""
_REFUSALS = (ErrorKind.INVALID_REQUEST, ErrorKind.NOT_FOUND, ErrorKind.SERVER_ERROR, ErrorKind.PROTOCOL)
_IMAGES = re.compile(r"\b(?:images?|image_url|image input|vision|multimodal|mmproj)\b", re.IGNORECASE)
_CHARS_PER_TOKEN = 3
IMAGES_LEFT_OUT = "images are left out"
_CUT = "\n[cut here: {left:,} more characters do not fit]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What goes along with a prompt that is about to be sent, and what the person should know of it."""

    attachments: tuple[Attachment, ...] = ()
    remarks: tuple[str, ...] = ()


def attached_blocks(attachments: Iterable[Attachment]) -> tuple[UserBlock, ...]:
    """The blocks that go before a prompt's own text."""
    return tuple(block for each in attachments for block in _blocks(each))


def attachment_line(attachment: Attachment) -> tuple[str, str]:
    """An attachment for people: what it is (``src/app.py:10-40``) and how much (``31 lines``)."""
    name = safe_line(attachment.source)
    match attachment.kind:
        case AttachmentKind.FILE:
            return f"{name}{_range(attachment)}", _count(_lines(attachment), "line")
        case AttachmentKind.FOLDER:
            return name, _count(attachment.text.count("\n") + 1, "name")
        case AttachmentKind.IMAGE:
            size = len(attachment.data_base64) * 3 // 4
            kind = safe_line(attachment.media_type.partition("/")[2].upper())
            return name, f"{kind} image, {max(1, round(size / 1000)):,} kB"
        case AttachmentKind.COMMAND:
            lines = attachment.text.rstrip("\n").count("\n")  # the line that says how it ended is no output
            return f"! {name}", _count(lines, "line")


def as_seen(
    messages: tuple[Message, ...], state: SessionState, model: ModelInfo
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """The messages as this model can take them, and what was left out, in words.

    Images are left out for a model that is known not to see, and for one of which nobody knows once it has refused
    them: asking again then goes on without them, and the session is not stuck.
    """
    if model.vision or not any(isinstance(block, ImageBlock) for each in messages for block in _user_blocks(each)):
        return messages, ()
    if model.vision is None and not _refused_images(state, model.ref):
        return messages, ()
    return without_images(messages, str(model.ref)), (f"{IMAGES_LEFT_OUT}: {model.ref} does not take them",)


def _user_blocks(message: Message) -> tuple[UserBlock, ...]:
    return message.blocks if isinstance(message, UserMessage) else ()


def _refused_images(state: SessionState, ref: ModelRef) -> bool:
    """Whether an error of this model speaks of images."""
    answers = (entry for entry in state.transcript if isinstance(entry, AnswerEntry) and entry.ref == ref)
    errors = (entry.error for entry in answers if entry.error is not None)
    return any(error.kind in _REFUSALS and _IMAGES.search(error.message) for error in errors)


def without_images(messages: Sequence[Message], model: str) -> tuple[Message, ...]:
    """The same for a model that does not see: in place of each image a word that there was one."""
    note = TextBlock(text=f"[an image is left out here: {model} does not see images]")

    def told(message: Message) -> Message:
        if not isinstance(message, UserMessage) or not any(isinstance(block, ImageBlock) for block in message.blocks):
            return message
        return replace(
            message, blocks=tuple(note if isinstance(block, ImageBlock) else block for block in message.blocks)
        )

    return tuple(map(told, messages))


def with_instructions(rules: str, files: Sequence[InstructionFile], window: int | None) -> str:
    """The rules, and below them the standing instructions: at most about a quarter of a known window (tokens).

    The last ones stand nearest to the work: they keep their text when not all can.
    """
    total = sum(len(file.text) for file in files)
    left = total if window is None else min(total, window // 4 * _CHARS_PER_TOKEN)
    texts: list[str] = []
    for file in reversed(files):
        texts.append(tagged("instructions", {"path": file.path}, cut_end(file.text, left)))
        left = max(0, left - len(file.text))
    return "\n\n".join([rules, PREFACE, *reversed(texts)]) if texts else rules


def nested_text(files: Iterable[InstructionFile]) -> str:
    """What sub-folders say, as it stands behind a tool's result and behind the files of a prompt."""
    return "".join(map(_nested, files))


def _nested(file: InstructionFile) -> str:
    folder = file.path.rpartition("/")[0] or "."
    said = tagged("instructions", {"path": file.path, "for": f"{folder}/"}, file.text)
    return f"\n\n{NESTED_PREFACE}\n{said}"


def cut_end(text: str, characters: int) -> str:
    """The beginning of a text, with a mark that says what is missing."""
    return text if len(text) <= characters else text[:characters] + _CUT.format(left=len(text) - characters)


def _blocks(attachment: Attachment) -> tuple[UserBlock, ...]:
    source, text = attachment.source, attachment.text
    match attachment.kind:
        case AttachmentKind.FILE:
            lines = {"lines": _range(attachment)[1:]} if attachment.first_line is not None else {}
            return (TextBlock(text=tagged("file", {"path": source, **lines}, text)),)
        case AttachmentKind.FOLDER:
            return (TextBlock(text=tagged("folder", {"path": source}, text)),)
        case AttachmentKind.COMMAND:
            note = "The user ran this command themself:\n"
            return (TextBlock(text=note + tagged("command", {"line": source}, text)),)
        case AttachmentKind.IMAGE:
            image = ImageBlock(media_type=attachment.media_type, data_base64=attachment.data_base64)
            return (TextBlock(text=f'<image path="{_attribute(source)}"/>'), image)


def tagged(tag: str, attributes: dict[str, str], text: str) -> str:
    """A text between tags; nothing in it can end them."""
    said = "".join(f' {name}="{_attribute(value)}"' for name, value in attributes.items())
    body = re.sub(rf"<(?=\s*/\s*{tag}\b)", "&lt;", text, flags=re.IGNORECASE).rstrip("\n")
    return f"<{tag}{said}>\n{body}\n</{tag}>"


def _attribute(value: str) -> str:
    return safe_line(value).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _range(attachment: Attachment) -> str:
    first, last = attachment.first_line, attachment.last_line
    if first is None:
        return ""
    return f":{first}" if last is None or last == first else f":{first}-{last}"


def _lines(attachment: Attachment) -> int:
    if attachment.first_line is not None and attachment.last_line is not None:
        return attachment.last_line - attachment.first_line + 1
    return attachment.text.count("\n") + 1


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
