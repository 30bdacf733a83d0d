import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.providers.messages import ToolSpec
from patchbay.providers.text_tools_calls import CallReader
from patchbay.providers.text_tools_openings import JsonScan
from patchbay.providers.text_tools_parser import MAX_BLANK, MAX_HELD, AnswerParser, Kind

PATH: Any = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOLS = (
    ToolSpec(name="list", description="", parameters=PATH),
    ToolSpec(
        name="write",
        description="",
        parameters={
            "type": "object",
            "properties": {
                "path": {"type": "string"},
                "content": {"type": "string"},
                "mode": {"type": "integer"},
                "fast": {"type": "boolean"},
            },
            "required": ["path", "content"],
        },
    ),
)
CALL = '{"tool": "list", "args": {"path": "src"}}'
FOUND = [("list", {"path": "src"})]
FENCED = f"```json\n{CALL}\n```"


class Read:
    """A whole answer, read in pieces of ``size`` characters, or at the given places."""

    def __init__(
        self, answer: str, size: int = 0, *, cuts: tuple[int, ...] = (), orderly: bool = True, **options: Any
    ) -> None:
        reader = CallReader(options.pop("tools", TOOLS), options.pop("shown", ()))
        self.parser = AnswerParser(reader, **options)
        places = list(range(0, len(answer), size)) if size else sorted({min(cut, len(answer)) for cut in cuts})
        edges = [0, *places, len(answer)]
        pieces = [piece for a, b in pairwise(edges) for piece in self.parser.feed(answer[a:b])]
        rest, calls = self.parser.finish(orderly=orderly)
        pieces += rest
        assert all(piece.text for piece in pieces if piece.kind is not Kind.BREAK), "no empty piece"
        self.calls = [(call.name, call.arguments) for call in calls]
        self.text = "".join(piece.text for piece in pieces if piece.kind is Kind.TEXT)
        self.thinking = "".join(piece.text for piece in pieces if piece.kind is Kind.THINKING)
        self.kinds = [piece.kind for at, piece in enumerate(pieces) if not at or pieces[at - 1].kind is not piece.kind]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Read) and self.parts == other.parts

    @property
    def parts(self) -> tuple[Any, ...]:
        return self.text, self.thinking, self.calls, self.kinds, self.parser.refused, self.parser.misjudged


# --- forms of calls -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        FENCED,
        f"\n\n{FENCED}\n\n",
        f"```tool_call\n{CALL}\n```",
        f"```JSON\r\n{CALL}\r\n```\r\n",
        f"  ```json\n  {CALL}\n  ```",
        f"````json\n{CALL}\n````",
        f"```json\n{CALL}```",
        f"```json\n{CALL}\n",
        f"```json\n{CALL}\n``",
        f"```json\n[{CALL}]\n```",
        CALL,
        f" {CALL}\n",
        f"[{CALL}]",
        '{"name": "list", "arguments": {"path": "src"}}',
        '{"name": "list", "parameters": {"path": "src"}}',
        '{"name": "list", "arguments": "{\\"path\\": \\"src\\"}"}',
        '{"function": "list", "args": {"path": "src"}}',
        '{"id": "c1", "type": "function", "function": {"name": "list", "arguments": {"path": "src"}}}',
        '<tool_call>\n{"name": "list", "arguments": {"path": "src"}}\n</tool_call>',
        '<tool_call>{"name": "list", "arguments": {"path": "src"}}',
        '<|tool_call|>[{"name": "list", "arguments": {"path": "src"}}]',
        '[TOOL_REQUEST]{"name": "list", "arguments": {"path": "src"}}[END_TOOL_REQUEST]',
        '[TOOL_CALLS] [{"name": "list", "arguments": {"path": "src"}}]',
        '<|python_tag|>{"name": "list", "parameters": {"path": "src"}}',
        '<function=list>{"path": "src"}</function>',
        "<function=list>\n<parameter=path>\nsrc\n</parameter>\n</function>",
        "<tool_call>\n<function=list>\n<parameter=path>\nsrc\n</parameter>\n</function>\n</tool_call>",
    ],
)
def test_a_call(answer: str) -> None:
    read = Read(answer)
    assert (read.calls, read.text) == (FOUND, "")
    for size in (1, 2, 3, 7):
        assert Read(answer, size) == read


@pytest.mark.parametrize("between", ["\n", "\n\n", "\n \n"])
def test_several_calls_in_order(between: str) -> None:
    other = '<tool_call>{"name": "list", "arguments": {}}</tool_call>'
    read = Read(f"I look at both.\n\n{FENCED}{between}{other}{between}{FENCED}")
    assert read.calls == [*FOUND, ("list", {}), *FOUND]
    assert read.text == "I look at both."


@pytest.mark.parametrize(
    "values", [f"{CALL}\n{CALL}", f"{CALL}; {CALL}", f"{CALL},\n{CALL}", f"{CALL}{CALL}", f"[{CALL}, {CALL}]"]
)
def test_several_calls_in_one_block(values: str) -> None:
    assert Read(f"```json\n{values}\n```").calls == [*FOUND, *FOUND]
    assert Read(values).calls == [*FOUND, *FOUND]


def test_strings_may_hold_what_ends_a_block() -> None:
    content = '```\n</tool_call>\n[END_TOOL_REQUEST] } ] " \\ </function>'
    arguments = {"path": "a.md", "content": content}
    for answer in (
        "```json\n" + json.dumps({"tool": "write", "args": arguments}, indent=1) + "\n```",
        "<tool_call>" + json.dumps({"name": "write", "arguments": arguments}) + "</tool_call>",
        f"<function=write>{json.dumps(arguments)}</function>",
    ):
        for size in (0, 1, 5):
            assert Read(answer, size).calls == [("write", arguments)]


def test_line_breaks_as_they_are_in_strings_are_taken() -> None:
    read = Read('```json\n{"tool": "write", "args": {"path": "a", "content": "one\n```\ntwo"}}\n```')
    assert read.calls == [("write", {"path": "a", "content": "one\n```\ntwo"})]


def test_xml_values_take_the_type_of_the_schema() -> None:
    read = Read(
        "<tool_call>\n<function=write>\n<parameter=path>\n7\n</parameter>\n<parameter=content>\n\n  a\n\n</parameter>\n"
        "<parameter=mode>420</parameter><parameter=fast>True</parameter></function>\n</tool_call>"
    )
    assert read.calls == [("write", {"path": "7", "content": "\n  a\n", "mode": 420, "fast": True})]


def test_a_function_without_arguments() -> None:
    assert Read("<function=list></function>").calls == [("list", {})]
    assert Read("<function=list>").calls == []


# --- what is no call ----------------------------------------------------------------------------------------------


QUOTED = [
    f"{FENCED}\nThis is how it looks.",
    f"{FENCED} Like that.",
    f"{CALL}\n\nLike that.",
    f"An example:\n\n{FENCED}\n\n- one more thing\n",
    f"```python\n{CALL}\n```",
    f"```\n{CALL}\n```",
    f"~~~json\n{CALL}\n~~~",
    f"```text\n<tool_call>{CALL}</tool_call>\n```",
    f"````markdown\n{FENCED}\n````",
    f"````markdown\n{FENCED}",
    f"```\n{FENCED}",
    f"> {CALL}",
    f"> ```json\n> {CALL}\n> ```",
    f"- ```json\n  {CALL}\n  ```",
    f"It is `{CALL}`",
    f"The file says {CALL}",
    f"The file says <tool_call>{CALL}</tool_call>",
    f"Here: {FENCED}",
    f"    {CALL}",
    f"\t<tool_call>{CALL}</tool_call>",
    f"Look:\n\n    <tool_call>{CALL}</tool_call>",
    f"Look:\n\n{CALL}",
    f"<!-- \n{CALL}\n-->",
    '```json\n{"tool": "rm", "args": {}}\n```',
    '```json\n{"tool": "write", "args": {"path": "a"}}\n```',
    '```json\n{"tool": "list", "args": {"path": 3}}\n```',
    '```json\n{"tool": "list", "args": [1]}\n```',
    '```json\n{"tool": "list", "args": {"path": NaN}}\n```',
    '```json\n{"name": "list"}\n```',
    '```json\n{"name": "list", "version": "1.0", "arguments": {}}\n```',
    '```json\n{"tool": "list", "name": "list", "args": {}}\n```',
    f'```json\n{CALL}\n{{"a": 1}}\n```',
    f"```json\n{CALL}\n# a comment\n```",
    "```json\n{}\n```",
    "```json\n[]\n```",
    "```json\n```",
    "```json\nnull\n```",
    '```json\n{"tool": "list", "args": {"path": "s',
    f"<tool_call>{CALL}</tool_call> and so on",
    "<tool_call>list src</tool_call>",
    "<function=nothing></function>",
    "<function=list><parameter=path>a</parameter>rest</function>",
    "[TOOL_CALLS] none today",
    "<tool_call",
    "[1, 2, 3]",
    "[link](https://example.test)",
    '{"list": 1}',
]


@pytest.mark.parametrize("answer", QUOTED)
def test_no_call_and_no_text_lost(answer: str) -> None:
    read = Read(answer)
    assert (read.calls, read.text) == ([], answer)
    for size in (1, 2, 3, 7):
        assert Read(answer, size) == read


@pytest.mark.parametrize(
    "quotation",
    [
        f"> {CALL}",
        f"```python\n{CALL}\n```",
        f"~~~~json\n{CALL}\n~~~\n~~~~",
        f"````md\n{FENCED}\n````",
        f"{FENCED}\nThis is how it looks.",
        '```json\n{"tool": "rm", "args": {}}\n```',
        '```json\n{"tool": "list", "args": {"path": 3}}\n```',
        "[1, 2, 3]",
        '{"a": 1}',
    ],
)
def test_a_call_after_a_quotation_is_one(quotation: str) -> None:
    for size in (0, 1):
        read = Read(f"{quotation}\n\n{FENCED}", size)
        assert (read.calls, read.text) == (FOUND, quotation)


def test_nothing_is_a_call_in_a_block_that_is_left_open() -> None:
    answer = f"```python\nx = 1\n\n```json\n{CALL}\n<tool_call>{CALL}</tool_call>"
    assert (Read(answer).calls, Read(answer).text) == ([], answer)


def test_of_several_calls_one_that_does_not_fit_spoils_all() -> None:
    bad = '```json\n{"tool": "write", "args": {}}\n```'
    for answer in (f"{FENCED}\n{bad}", f"{bad}\n{FENCED}\n{bad}"):
        read = Read(answer)
        assert (read.calls, read.text) == ([], answer)
        assert read.parser.refused == "the arguments of write do not fit: path is missing"


def test_what_a_tool_result_holds_is_a_quotation() -> None:
    numbered = 'before\n1\t{\n2\t  "tool": "list",\n3\t  "args": {"path": "src"}\n4\t}\nafter'
    for shown in (CALL, CALL.replace(" ", ""), numbered, f"x\n{FENCED}\ny"):
        read = Read(FENCED, shown=["something else", shown])
        assert (read.calls, read.text) == ([], FENCED)
        assert "quotation" in read.parser.refused
    other = CALL.replace("src", "lib")
    assert Read(FENCED, shown=[other, "src list tool args path"]).calls == FOUND


def test_xml_that_a_tool_result_holds_is_a_quotation() -> None:
    for answer in (
        "<function=list>\n<parameter=path>\nsrc\n</parameter>\n</function>",
        '<function=list>{"path":"s"}</function>',
    ):
        assert Read(answer).calls
        assert Read(answer, shown=[f"a\n{answer}\nb"]).calls == []


def test_an_answer_that_broke_off_has_no_calls() -> None:
    read = Read(f"So:\n\n{FENCED}\n", orderly=False)
    assert (read.calls, read.text) == ([], f"So:\n\n{FENCED}\n")


def test_without_fences_only_a_whole_answer_counts() -> None:
    assert Read(FENCED, fences=False).calls == FOUND
    for answer in (
        f"So:\n\n{FENCED}",
        f"So:\n\n```python\nx\n```\n{FENCED}",
        f"So:\n```json\n<tool_call>{CALL}</tool_call>",
    ):
        read = Read(answer, fences=False)
        assert (read.calls, read.text) == ([], answer)
        assert Read(answer, 1, fences=False) == read
    assert Read(f"So:\n<tool_call>{CALL}</tool_call>", fences=False).calls == FOUND


# --- thinking -----------------------------------------------------------------------------------------------------


def test_thinking_is_taken_out() -> None:
    read = Read(f"\n<think>\nHm, {CALL}\n</think>\n\nDone.\n\n{FENCED}")
    assert (read.thinking, read.text, read.calls) == (f"Hm, {CALL}\n", "Done.", FOUND)


def test_a_whole_answer_may_follow_thinking() -> None:
    assert Read(f"<think>x</think>\n{CALL}").calls == FOUND


def test_blank_thinking_is_none() -> None:
    assert Read("<think>\n\n</think>\n\nHello").kinds == [Kind.TEXT]


def test_thinking_that_never_ends_is_thinking() -> None:
    read = Read(f"<think>{FENCED}")
    assert (read.thinking, read.text, read.calls) == (FENCED, "", [])


@pytest.mark.parametrize(
    "answer", ["Use <think> and </think>.", "a\n<think>b</think>", "<thin", "<b>think</b>", "`</think>`"]
)
def test_speaking_of_the_tags(answer: str) -> None:
    for size in (0, 1):
        assert Read(answer, size).text == answer


def test_an_orphan_ends_what_was_thinking_and_spoils_its_calls() -> None:
    read = Read(f"Let me see.\n{FENCED}\n</think>\n\nDone.")
    assert read.kinds == [Kind.TEXT, Kind.BREAK, Kind.TEXT]
    assert (read.text, read.calls, read.parser.orphan) == (f"Let me see.\n{FENCED}\nDone.", [], True)
    assert Read(f"Let me see.\n</think>\n{CALL}").calls == FOUND


def test_an_answer_known_to_begin_in_thinking() -> None:
    for answer in ("Hm.\n</think>\nDone.", "<think>Hm.\n</think>\nDone."):
        read = Read(answer, thought_first=True)
        assert (read.thinking, read.text, read.parser.misjudged) == ("Hm.\n", "Done.", False)


def test_thinking_that_was_expected_in_vain_is_the_answer() -> None:
    read = Read(f"I will look.\n\n{FENCED}", 3, thought_first=True)
    assert (read.text, read.calls, read.parser.misjudged) == ("I will look.", FOUND, True)
    cut = Read("Hm, this is lo", thought_first=True, orderly=False)
    assert (cut.thinking, cut.text, cut.parser.misjudged) == ("Hm, this is lo", "", False)


# --- holding back -------------------------------------------------------------------------------------------------


def test_ordinary_text_flows_at_once() -> None:
    answer = "# Title\n\nSome *text*, `code`:\n\n```python\nx = {'a': [1]}\n```\n\n- <b>\n- [a](b)\n\n{}\n"
    parser = AnswerParser(CallReader(TOOLS))
    shown = ""
    for at, character in enumerate(answer, 1):
        shown += "".join(piece.text for piece in parser.feed(character))
        behind = answer[len(shown) : at]
        assert len(behind.strip()) <= len("```p"), behind


def test_ordinary_json_flows_from_its_first_key_on() -> None:
    answer = '```json\n{"name": "left-pad", "version": "1.3.0"}\n```'
    parser = AnswerParser(CallReader(TOOLS))
    shown = "".join(piece.text for character in answer[:30] for piece in parser.feed(character))
    assert shown == answer[:30]


def test_a_call_is_never_shown_while_it_comes() -> None:
    parser = AnswerParser(CallReader(TOOLS))
    assert not [piece for character in f"{FENCED}\n\n{FENCED}\n" for piece in parser.feed(character)]


def test_what_grows_too_long_for_a_call_is_text() -> None:
    opening = '```json\n{"tool": "list", "args": {"path": "'
    long = opening + "x" * MAX_HELD
    for size in (0, 4099):
        read = Read(f'{long}"}}}}\n```\n\n{FENCED}', size)
        assert read.calls == FOUND
        assert read.text == f'{long}"}}}}\n```'
    parser = AnswerParser(CallReader(TOOLS))
    assert "".join(piece.text for piece in parser.feed(long + "tail")) == long + "tail"
    xml = "<function=list><parameter=path>" + "x" * MAX_HELD + "</parameter></function>"
    assert Read(xml, 4099).calls == [] and Read(xml).text == xml


@pytest.mark.parametrize("long", ["`" * 100, "~" * 100, "```json" + " " * 100, "```\nx\n```" + " " * 100])
def test_lines_too_long_to_wait_for(long: str) -> None:
    answer = f"{long}\n{CALL}\n```\n\n{FENCED}"
    assert Read(answer, 1) == Read(answer)
    assert Read(answer).text in (answer, answer.removesuffix(f"\n\n{FENCED}"))


def test_blanks_without_end_are_let_go() -> None:
    for size in (0, 1, 1000):
        answer = "a" + "\n" * (MAX_BLANK + 10)
        assert Read(answer, size).text == answer
        answer = " " * (MAX_BLANK + 2) + f"\n{FENCED}"
        assert Read(answer, size).calls == FOUND


# --- properties ---------------------------------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        *(
            "\n",
            "\n\n",
            " ",
            "    ",
            "text",
            "# head",
            "> ",
            "- ",
            "`",
            "```",
            "````",
            "~~~",
            "```json\n",
            "```python\n",
        ),
        *("```\n", CALL, FENCED, f"{FENCED}\n", "{", "}", "[", "]", '"', "\\", ",", '{"tool": ', '"list"', '{"a": 1}'),
        *("<tool_call>", "</tool_call>", "<function=list>", "</function>", "<parameter=path>", "</parameter>"),
        *("[TOOL_REQUEST]", "[END_TOOL_REQUEST]", "[TOOL_CALLS]", "<|python_tag|>", "<think>", "</think>", "é", "\r\n"),
    ]
)
ANSWERS = st.lists(PARTS, max_size=12).map("".join)
PROSE = st.lists(
    st.sampled_from(["Some words", "# head", "- item `x`", "> quoted", "", "x = {1}", "a [link](u)", "```py\n{}\n```"]),
    max_size=4,
).map("\n".join)


@settings(max_examples=400, deadline=None)
@given(ANSWERS, st.lists(st.integers(0, 200), max_size=8), st.booleans(), st.booleans(), st.booleans())
def test_any_way_to_cut_an_answer_gives_the_same(
    answer: str, cuts: list[int], orderly: bool, fences: bool, thought_first: bool
) -> None:
    options: dict[str, Any] = {"orderly": orderly, "fences": fences, "thought_first": thought_first}
    whole = Read(answer, **options)
    assert Read(answer, cuts=tuple(cuts), **options) == whole
    assert Read(answer, 1, **options) == whole


@given(ANSWERS.filter(lambda answer: "think>" not in answer))
def test_an_answer_without_calls_is_shown_as_it_is(answer: str) -> None:
    read = Read(answer)
    assert read.calls or read.text == answer
    assert answer.startswith(read.text), "and never more than was said"


@given(PROSE, st.lists(st.text(max_size=12), min_size=1, max_size=3), st.sampled_from(["fence", "tag", "request"]))
def test_calls_at_the_end_are_all_found_and_never_shown(prose: str, paths: list[str], form: str) -> None:
    objects = [json.dumps({"name": "list", "arguments": {"path": path}}) for path in paths]
    around = {
        "fence": "```json\n%s\n```",
        "tag": "<tool_call>\n%s\n</tool_call>",
        "request": "[TOOL_REQUEST]%s[END_TOOL_REQUEST]",
    }
    blocks = [around[form].replace("%s", each) for each in objects]
    read = Read("\n".join([prose, *blocks]))
    assert read.calls == [("list", {"path": path}) for path in paths]
    assert read.text == prose.rstrip()


@given(PROSE, st.text(max_size=12), st.integers(0, 5))
def test_quoted_json_never_becomes_a_call(prose: str, path: str, how: int) -> None:
    call = json.dumps({"tool": "list", "args": {"path": path}}, ensure_ascii=False)
    quoted = [
        f"```text\n{call}\n```",
        f"> ```json\n> {call}\n> ```",
        f"`{call}`",
        f"```json\n{call}\n```\n\nas it says.",
        f"````md\n```json\n{call}\n```\n````",
        f"    {call}",
    ][how]
    read = Read(f"{prose}\n{quoted}")
    assert (read.calls, read.text) == ([], f"{prose}\n{quoted}")


@given(st.recursive(st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)), st.integers(1, 5))
def test_the_end_of_json_is_found_in_pieces(value: Any, size: int) -> None:
    text = json.dumps({"k": value})
    scan, taken = JsonScan(), 0
    for at in range(0, len(text), size):
        end = scan.end_in((text + "}]")[at : at + size])
        taken = at + (size if end is None else end)
        if end is not None:
            break
    assert taken == len(text)
