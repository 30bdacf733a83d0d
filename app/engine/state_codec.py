"""A session's state as compact bytes and back: each object is a row of its fields, long texts lie elsewhere.

Written for speed: a class is looked at once, then its objects are packed and unpacked without its names. The bytes
begin with the layout of every class they use; a reader whose classes differ in any way must not read them and makes
the state from the journal again, which is why nothing here needs to be kept compatible.
"""

import dataclasses
import io
import json
import operator
import zlib
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol, TypeAlias, cast

from ...providers import base as provider_base
from ...providers import messages as provider_messages
from ...providers.redact import redact_registered
from ...tools import base as tool_base
from . import budget_state
from . import state as session_state
from .codec import VOCABULARY
from .kept_text import KeptRun, KeptText, Shelf, content_name
from .state import SessionState, StreamText, ToolRun

KEPT_CHARS = 2048
"""Texts of tools from this length on lie outside of the state."""
_LEVEL = 3
_CHUNK = 200
"""Entries in one line."""
_TUPLE, _LIST, _DECIMAL, _STREAM, _KEPT_RUN = range(5)
_FIRST_CLASS = 16
_MOST_BYTES = 1 << 30
"""A state that claims to be larger when unpacked is damaged."""

_Row: TypeAlias = list[Any]
_SCALARS = frozenset({str, int, float, bool, type(None)})


class StateError(ValueError):
    """The bytes are no state that this version can read."""


class TextStore(Protocol):
    """Takes long texts while a state is packed."""

    def put(self, text: str) -> str:
        """Keep a text; returns the name it can be asked for with."""
        ...


def pack_state(state: SessionState, store: TextStore) -> bytes:
    """The state without what every process finds anew. Raises TypeError for a value the codec does not know."""
    packer, zipper = _Packer(store), zlib.compressobj(_LEVEL)
    bare = dataclasses.replace(state, providers=(), unsaved="", transcript=(), runs=())
    chunks = [zipper.compress(_line(packer.pack(bare)))]
    for items in (state.transcript, state.runs):
        for first in range(0, len(items), _CHUNK):
            chunks.append(zipper.compress(_line(packer.pack(items[first : first + _CHUNK]))))
        chunks.append(zipper.compress(b"\n"))
    return b"".join([*chunks, zipper.flush()])


def unpack_state(body: bytes, shelf: Shelf) -> SessionState:
    """The state that was packed; its long texts come from ``shelf`` when they are read. Raises ``StateError``."""
    try:
        unzipper = zlib.decompressobj()
        text = unzipper.decompress(body, _MOST_BYTES)
        if not unzipper.eof:
            raise StateError("the state is cut off")
        return _unpacked(text, _Unpacker(shelf))
    except StateError:
        raise
    except (zlib.error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as error:
        raise StateError(f"the state is damaged: {error}") from error


def _unpacked(text: bytes, unpacker: "_Unpacker") -> SessionState:
    """Line by line, so that only one chunk of rows is in memory beside what is made of them."""
    lists: list[list[Any]] = [[], []]
    lines = io.BytesIO(text)
    state = unpacker.unpack(json.loads(lines.readline().decode("utf-8", "surrogatepass")))
    if not isinstance(state, SessionState):
        raise StateError("the bytes are something else than a session's state")
    for items in lists:
        while (line := lines.readline()) != b"\n":
            items.extend(unpacker.unpack(json.loads(line.decode("utf-8", "surrogatepass"))))
    transcript, runs = lists
    return dataclasses.replace(state, transcript=tuple(transcript), runs=tuple(runs))


def _line(packed: Any) -> bytes:
    """Lone surrogates are no text for UTF-8; they pass as they are."""
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"), check_circular=False)
    return f"{text}\n".encode("utf-8", "surrogatepass")


class _Packer:
    def __init__(self, store: TextStore) -> None:
        self._store = store

    def pack(self, value: Any) -> Any:
        kind = cast("type[Any]", type(value))
        if kind is str:
            return redact_registered(value)
        if kind in _SCALARS:
            return value
        special = _SPECIAL.get(kind)
        if special is not None:
            return special(self, value)
        index = _INDEX.get(kind)
        if index is None:
            raise TypeError(f"{kind.__name__} has no place in a packed state")
        if isinstance(value, Enum):
            return [index, value.value]
        return [index, *map(self.pack, _LAYOUTS[index][1](value))]

    def tuple(self, value: tuple[Any, ...]) -> _Row:
        return [_TUPLE, *map(self.pack, value)]

    def list(self, value: list[Any]) -> _Row:
        return [_LIST, *map(_plain, value)]

    def dict(self, value: dict[str, Any]) -> Any:
        return _plain(value)

    def decimal(self, value: Decimal) -> _Row:
        return [_DECIMAL, str(value)]

    def stream(self, value: StreamText) -> _Row:
        text = redact_registered(str(value))
        return [_STREAM, text] if text else [_STREAM]

    def run(self, run: ToolRun) -> _Row:
        """A finished run's texts are long and seldom read: they are kept, unless they are short."""
        if run.outcome is None:
            return self._bare_run(run)
        output, content = self._kept_output(run), self._kept_content(run)
        if output is None and content is None:
            return self._bare_run(run)
        bare = dataclasses.replace(
            _as_plain(run),
            output=StreamText() if output is not None else run.output,
            content="" if content is not None else run.content,
        )
        return [_KEPT_RUN, self._bare_run(bare), output, content]

    def _bare_run(self, run: ToolRun) -> _Row:
        index = _INDEX[ToolRun]
        return [index, *map(self.pack, _LAYOUTS[index][1](run))]

    def _kept_output(self, run: ToolRun) -> _Row | None:
        output = run.output
        if isinstance(output, KeptText):
            return [_LIST, output.name, output.chars]
        if output.chars < KEPT_CHARS:
            return None
        text = redact_registered(str(output))
        return [_LIST, self._store.put(text), len(text)]

    def _kept_content(self, run: ToolRun) -> str | None:
        if name := content_name(run):
            return name
        if len(run.content) < KEPT_CHARS:
            return None
        return self._store.put(redact_registered(run.content))


def _as_plain(run: ToolRun) -> ToolRun:
    """The run with its fields only; texts that lie elsewhere are not fetched."""
    if not isinstance(run, KeptRun):
        return run
    names = (field.name for field in dataclasses.fields(ToolRun) if field.name != "content")
    return ToolRun(**{name: getattr(run, name) for name in names}, content="" if content_name(run) else run.content)


def _plain(value: Any) -> Any:
    """JSON of a model or server: taken as it is, keys of ours replaced. Raises TypeError for anything else."""
    kind = cast("type[Any]", type(value))
    if kind is str:
        return redact_registered(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {_name(name): _plain(item) for name, item in cast("dict[Any, Any]", value).items()}
    if kind is list:
        return [_plain(item) for item in cast("list[Any]", value)]
    raise TypeError(f"{kind.__name__} is no JSON")


def _name(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a name in a JSON object is no text")
    return value


_SPECIAL: dict[type[Any], Callable[[_Packer, Any], Any]] = {
    tuple: _Packer.tuple,
    list: _Packer.list,
    dict: _Packer.dict,
    Decimal: _Packer.decimal,
    StreamText: _Packer.stream,
    KeptText: _Packer.stream,
    ToolRun: _Packer.run,
    KeptRun: _Packer.run,
}


class _Unpacker:
    """Makes the objects again. Rows are taken apart in place: they are used once."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._makers: dict[int, Callable[[_Row], Any]] = {
            _TUPLE: self._tuple,
            _LIST: lambda row: row[1:],
            _DECIMAL: lambda row: Decimal(row[1]),
            _STREAM: lambda row: StreamText([row[1]], 1, len(row[1])) if len(row) > 1 else StreamText(),
            _KEPT_RUN: self._kept_run,
        }

    def unpack(self, value: Any) -> Any:
        if type(value) is not list:
            return value
        index = cast("_Row", value)[0]
        maker = self._makers.get(index)
        if maker is None:
            maker = self._makers[index] = self._maker(_LAYOUTS[index])
        return maker(cast("_Row", value))

    def _maker(self, layout: "_Layout") -> Callable[[_Row], Any]:
        cls, _, names = layout
        if issubclass(cls, Enum):
            members = {member.value: member for member in cls}
            return lambda row: members[row[1]]
        make = self._writer(cls, names) or self._caller(cls, names)
        if cls is not provider_base.ModelRef:
            return make
        known: dict[tuple[Any, ...], Any] = {}

        def shared(row: _Row) -> Any:
            """The few models of a session are named with every answer."""
            key = tuple(row)
            return known.get(key) or known.setdefault(key, make(row))

        return shared

    def _writer(self, cls: Any, names: tuple[str, ...]) -> Callable[[_Row], Any] | None:
        """Fills the slots of an object: twice as fast as its constructor, which does nothing else."""
        if hasattr(cls, "__post_init__") or cls.__init__ is object.__init__ or "__slots__" not in vars(cls):
            return None
        setters = [getattr(cls, name).__set__ for name in names]
        new, unpack, count = cls.__new__, self.unpack, len(names) + 1

        def write(row: _Row) -> Any:
            if len(row) != count:
                raise StateError(f"a {cls.__name__} of {len(row) - 1} fields")
            made = new(cls)
            values = iter(row)
            next(values)
            for setter, value in zip(setters, values, strict=True):
                setter(made, unpack(value) if type(value) is list else value)
            return made

        return write

    def _caller(self, cls: Any, names: tuple[str, ...]) -> Callable[[_Row], Any]:
        return lambda row: cls(**dict(zip(names, map(self.unpack, row[1:]), strict=True)))

    def _tuple(self, row: _Row) -> tuple[Any, ...]:
        unpack = self.unpack
        return tuple([unpack(item) if type(item) is list else item for item in row[1:]])

    def _kept_run(self, row: _Row) -> ToolRun:
        run, output, content = self.unpack(row[1]), row[2], row[3]
        if output is not None:
            run = dataclasses.replace(run, output=KeptText(self._shelf, output[1], output[2]))
        return run if content is None else KeptRun.of(run, self._shelf, content)


_Layout: TypeAlias = tuple[Any, Callable[[Any], tuple[Any, ...]], tuple[str, ...]]
"""A class, what reads its fields, and their names (none for an enumeration)."""


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:  # an enumeration: its value is read directly
        return lambda _value: ()
    read = operator.attrgetter(*names)
    return read if len(names) > 1 else lambda value: (read(value),)


def _layouts() -> dict[int, _Layout]:
    """Every class a state may hold, numbered in the order of their names."""
    found: dict[str, Any] = {}
    for module in (*VOCABULARY, provider_messages, tool_base, budget_state, session_state):
        for name, item in vars(module).items():
            if isinstance(item, type) and (dataclasses.is_dataclass(item) or issubclass(item, Enum)):
                found[name] = item
    layouts: dict[int, _Layout] = {}
    for index, name in enumerate(sorted(found), _FIRST_CLASS):
        cls = found[name]
        names = () if issubclass(cls, Enum) else tuple(field.name for field in dataclasses.fields(cls))
        if names or issubclass(cls, Enum):
            layouts[index] = (cls, _getter(names), names)
    return layouts


_LAYOUTS = _layouts()
_INDEX: dict[type[Any], int] = {layout[0]: index for index, layout in _LAYOUTS.items()}


def layout_number() -> int:
    """A number that is another one as soon as any class of the vocabulary has other fields or values."""
    lines = [f"{index} {layout[0].__name__} {_described(layout[0])}" for index, layout in sorted(_LAYOUTS.items())]
    return zlib.crc32("\n".join(lines).encode())


def _described(cls: Any) -> str:
    if issubclass(cls, Enum):
        return " ".join(str(member.value) for member in cls)
    return " ".join(f"{field.name}:{field.type}" for field in dataclasses.fields(cls))
