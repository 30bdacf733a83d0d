"""Walks the tree of tree-sitter's bash grammar and collects the commands in it.

Every kind of node is named here; one that is not makes the line unprovable. The spelling of each word is read by
``shell_words``, not by the grammar, and a word on which the two disagree makes the line unprovable too.
"""

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .shell_commands import Redirect, Script, names_in
from .shell_scope import Scope
from .shell_words import Word, WordError, literal, quoted_text, read_word, scan_word

if TYPE_CHECKING:
    from tree_sitter import Node

_MAX_UNROLLED = 16
_MAX_LEVELS = 150
_GAP = re.compile(rb"(?:[ \t\n]|\\\n)*")
_ARGUMENTS = names_in(
    "word number string raw_string ansi_c_string translated_string concatenation simple_expansion expansion"
    " command_substitution process_substitution brace_expression arithmetic_expansion"
)
_TOKENS = names_in("; & { } ( ) do done if then elif else fi while until for in case esac ;; | |& && || ! select") | {
    "\n"
}
_OPERATORS = frozenset({">", ">>", "<", ">|", "&>", "&>>", ">&", "<&", "<&-", ">&-", "<>"})
_CONDITION = re.compile(r"\s*(&&|\|\||[<>();&|]|\n)")


class Unreadable(ValueError):
    """The tree is not as this module understands it."""


class TreeReader:
    """Walks one tree."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def sequence(self, node: "Node", scope: Scope, level: int) -> None:
        """Statements one after the other."""
        started = len(scope.script.commands)
        for child in self._children(node):
            if not child.is_named:
                if child.type == "&":
                    scope.problem("runs something in the background")
                    _mark_background(scope.script, started)
                continue
            started = len(scope.script.commands)
            self.statement(child, scope, level + 1)

    def statement(self, node: "Node", scope: Scope, level: int) -> None:
        """One statement of any kind."""
        if level > _MAX_LEVELS:
            raise Unreadable("is nested too deeply")
        kind = node.type
        match kind:
            case "comment":
                return
            case "command":
                self._command(node, scope)
            case "redirected_statement":
                self._redirected(node, scope, level)
            case "pipeline":
                self._pipeline(node, scope, level)
            case "list":
                self._list(node, scope, level)
            case "negated_command" | "do_group" | "else_clause":
                self.sequence(node, scope, level)
            case "subshell":
                self._alone(node, scope)
                self.sequence(node, scope.child(), level)
            case "compound_statement":
                self._compound(node, scope, level)
            case "variable_assignment" | "variable_assignments":
                nodes = [node] if kind == "variable_assignment" else node.named_children
                scope.emit((), assignments=[self._assignment(each, scope) for each in nodes], redirects=_taken(scope))
            case "declaration_command" | "unset_command" | "test_command":
                scope.emit(self._all_words(node), redirects=_taken(scope))
            case _:
                self._control(node, scope, level)

    def _control(self, node: "Node", scope: Scope, level: int) -> None:
        self._alone(node, scope)
        match node.type:
            case "if_statement" | "elif_clause" | "case_item":
                self._branch(node, scope, level)
            case "case_statement":
                value = node.child_by_field_name("value")
                scope.emit([literal("case"), *([self._word(value)] if value else [])])
                for item in node.named_children:
                    if item.type == "case_item":
                        self._branch(item, scope, level)
            case "while_statement":
                self._loop(node, scope, level)
            case "for_statement":
                self._for(node, scope, level)
            case "c_style_for_statement":
                scope.problem("has a counting loop")
                scope.emit([literal("(("), quoted_text(self._text(node).partition("))")[0])])
                body = node.child_by_field_name("body")
                if body is not None:
                    self._loop(body, scope, level)
            case "function_definition":
                scope.problem("defines a function")
                name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
                if name is not None and body is not None:
                    inside = scope.child(function=self._text(name), variables={}, feeds=(), text=None)
                    self.statement(body, inside, level + 1)
            case _:
                raise Unreadable(f"holds a construct that is not known here ({node.type})")

    def _branch(self, node: "Node", scope: Scope, level: int) -> None:
        """Statements of which some may not run."""
        inside = scope.child()
        values = (
            {child.id for child in node.children_by_field_name("value")} if node.type == "case_item" else set[int]()
        )
        started = len(scope.script.commands)
        for child in self._children(node):
            if child.id in values:
                if child.type != "extglob_pattern":
                    inside.emit([literal("case"), self._word(child)])
            elif child.is_named:
                started = len(scope.script.commands)
                self.statement(child, inside, level + 1)
            elif child.type == "&":
                scope.problem("runs something in the background")
                _mark_background(scope.script, started)
        scope.forget(self._assigned(node))
        scope.folders = tuple(dict.fromkeys((*inside.folders, *scope.folders)))

    def _loop(self, node: "Node", scope: Scope, level: int) -> None:
        scope.forget(self._assigned(node))
        inside = scope.child(repeats=True)
        self.sequence(node, inside, level)
        if inside.folders != scope.folders:
            scope.problem("changes the folder in a loop")
        scope.forget(self._assigned(node))

    def _for(self, node: "Node", scope: Scope, level: int) -> None:
        name = node.child_by_field_name("variable")
        values = [self._word(each) for each in node.children_by_field_name("value")]
        body = node.child_by_field_name("body")
        if name is None or body is None or not self._text(node).startswith("for"):
            raise Unreadable("has a loop that is not known here")
        scope.emit([literal("for"), literal(self._text(name)), *values])
        scope.forget(self._assigned(node))
        words = [filled for value in values for filled in scope.words(value)]
        known = [word.text for word in words if word.text is not None and not word.glob]
        turns = known if len(known) == len(words) and 0 < len(known) <= _MAX_UNROLLED else [None]
        before = scope.folders
        for value in turns:
            inside = scope.child(repeats=value is None and scope.repeats)
            inside.forget((self._text(name),))
            if value is not None:
                inside.variables[self._text(name)] = value
            self.statement(body, inside, level + 1)
            if inside.folders != before:
                scope.problem("changes the folder in a loop")
        scope.forget((*self._assigned(node), self._text(name)))

    def _compound(self, node: "Node", scope: Scope, level: int) -> None:
        self._alone(node, scope)
        text = self._text(node)
        if text.startswith("(("):
            scope.emit([literal("(("), quoted_text(text[2:-2])])
        else:
            self.sequence(node, scope, level)

    def _list(self, node: "Node", scope: Scope, level: int) -> None:
        children = self._children(node)
        left, operator, right = children if len(children) == 3 else (None, None, None)
        if left is None or operator is None or right is None or operator.type not in ("&&", "||"):
            raise Unreadable("holds a list that is not known here")
        last, scope.extra = scope.extra, []
        before = scope.folders
        self.statement(left, scope, level + 1)
        scope.extra = last
        after = scope.folders
        moved = left.type == "command" and after[:1] != before[:1]
        if operator.type == "&&" and moved:
            scope.folders = after[: max(1, len(after) - len(before))]
        self.statement(right, scope, level + 1)
        scope.folders = tuple(dict.fromkeys((*scope.folders, *(after if moved else ()))))
        scope.forget(self._assigned(right))

    def _pipeline(self, node: "Node", scope: Scope, level: int) -> None:
        parts = [child for child in self._children(node) if child.is_named]
        last, scope.extra = scope.extra, []
        feeds = scope.feeds
        for number, part in enumerate(parts):
            started = len(scope.script.commands)
            inside = scope.child(feeds=feeds, text=scope.text if number == 0 else None)
            inside.extra = last if number == len(parts) - 1 else []
            self.statement(part, inside, level + 1)
            feeds = tuple(scope.script.commands[started:])

    def _redirected(self, node: "Node", scope: Scope, level: int) -> None:
        body: Node | None = None
        redirects: list[Redirect] = []
        later: list[Node] = []
        text: Word | None = None
        for child in self._children(node):
            match child.type:
                case "file_redirect":
                    redirects.append(self._redirect(child, scope))
                case "herestring_redirect":
                    text = self._word(child.named_children[-1])
                case "heredoc_redirect":
                    text = self._here_document(child, redirects, later, scope)
                case _ if body is None and child.is_named:
                    body = child
                case _:
                    raise Unreadable("holds a redirection that is not known here")
        inside = scope
        if text is not None:
            scope.emit([literal("case"), text])  # for the substitutions in it
            inside = scope.child(text=text)
        inside.extra = [*redirects, *inside.extra]
        started = len(scope.script.commands)
        if body is not None:
            self.statement(body, inside, level + 1)
        elif redirects:
            scope.emit((), redirects=_taken(inside))
        for statement in later:
            self.statement(statement, scope.child(feeds=tuple(scope.script.commands[started:])), level + 1)

    def _here_document(self, node: "Node", redirects: list[Redirect], later: list["Node"], scope: Scope) -> Word:
        start, body = "", ""
        for child in self._children(node, gaps=False):
            match child.type:
                case "heredoc_start":
                    start = self._text(child)
                case "heredoc_body":
                    body = self._text(child)
                case "file_redirect":
                    redirects.append(self._redirect(child, scope))
                case "heredoc_end" | "file_descriptor" | "<<" | "<<-" | "|" | "|&" | "&&" | "||" | "\n":
                    pass
                case kind if kind in _ARGUMENTS:
                    raise Unreadable("has words after a here-document")
                case _:
                    later.append(child)
        return literal(body) if any(sign in start for sign in "'\"\\") else quoted_text(body)

    def _redirect(self, node: "Node", scope: Scope) -> Redirect:
        descriptor, operator = "", ""
        targets: list[Word] = []
        for child in self._children(node):
            if child.type == "file_descriptor":
                descriptor = self._text(child)
            elif child.is_named:
                targets.append(self._word(child))
            else:
                operator = child.type
        if operator not in _OPERATORS:
            raise Unreadable("holds a redirection that is not known here")
        if len(targets) != 1:
            raise Unreadable("has words after a redirection")
        return Redirect(operator=operator, target=targets[0], descriptor=descriptor)

    def _command(self, node: "Node", scope: Scope) -> None:
        words: list[Word] = []
        assignments: list[tuple[str, Word]] = []
        redirects = _taken(scope)
        text: Word | None = None
        end = -1
        for child in self._children(node):
            match child.type:
                case "variable_assignment":
                    assignments.append(self._assignment(child, scope))
                case "file_redirect":
                    redirects.append(self._redirect(child, scope))
                case "herestring_redirect":
                    text = self._word(child.named_children[-1])
                case "command_name" | "(":
                    words.append(self._word(child))
                case kind if kind in _ARGUMENTS or not child.is_named:
                    if child.start_byte == end:
                        raise Unreadable("has words that touch")
                    words.append(self._word(child))
                case kind:
                    raise Unreadable(f"holds a construct that is not known here ({kind})")
            end = child.end_byte
        scope.emit(words, assignments=assignments, redirects=redirects, text=text)

    def _assignment(self, node: "Node", scope: Scope) -> tuple[str, Word]:
        name, sign, value = self._text(node).partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_]\w*\+?", name, re.ASCII) or value.startswith("("):
            scope.problem("sets a list or one of its members")
            return name, _all_known(value)
        return name, self._spelled(value) if value else literal("")

    def _alone(self, node: "Node", scope: Scope) -> None:
        """Redirections of a whole group are judged like those of a command without words."""
        redirects = _taken(scope)
        if redirects:
            scope.emit((), redirects=redirects)

    def _all_words(self, node: "Node") -> list[Word]:
        """The words of a construct that has a grammar of its own, read one after the other."""
        source, at, words = self._text(node), 0, list[Word]()
        while at < len(source):
            if source[at] in " \t\n":
                at += 1
            elif (operator := _CONDITION.match(source, at)) is not None:
                words.append(literal(operator[1]))
                at = operator.end()
            else:
                word, end = self._scanned(source, at)
                if end == at:
                    raise Unreadable("holds a condition that is not known here")
                words.append(word)
                at = end
        return words

    def _scanned(self, source: str, at: int) -> tuple[Word, int]:
        try:
            return scan_word(source, at)
        except WordError as error:
            raise Unreadable(str(error)) from None

    def _word(self, node: "Node") -> Word:
        return self._spelled(self._text(node))

    def _spelled(self, source: str) -> Word:
        try:
            word = read_word(source)
        except WordError as error:
            raise Unreadable(str(error)) from None
        return word

    def _assigned(self, node: "Node") -> set[str]:
        """Every variable set anywhere below a node."""
        found: set[str] = set()
        waiting = [node]
        while waiting:
            current = waiting.pop()
            if (
                current.type == "variable_name"
                and current.parent
                and current.parent.type
                in (
                    "variable_assignment",
                    "for_statement",
                )
            ):
                found.add(self._text(current))
            waiting += current.named_children
        return found

    def _children(self, node: "Node", *, gaps: bool = True) -> list["Node"]:
        """The children, provided that nothing but blanks is between them and every sign is a known one."""
        at = node.start_byte
        children = node.children
        for child in children:
            if gaps and not _GAP.fullmatch(self._data, at, child.start_byte):
                raise Unreadable("holds signs that are not known here")
            if gaps and not child.is_named and child.type not in _TOKENS and child.type not in _OPERATORS:
                raise Unreadable(f"holds {child.type!r} in an unknown place")
            if child.type == ";;" and node.type != "case_item":
                raise Unreadable("holds ;; outside of a case")
            at = child.end_byte
        if gaps and not _GAP.fullmatch(self._data, at, node.end_byte):
            raise Unreadable("holds signs that are not known here")
        return children

    def _text(self, node: "Node") -> str:
        return self._data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _taken(scope: Scope) -> list[Redirect]:
    """The redirections waiting for the command they belong to."""
    waiting, scope.extra = scope.extra, []
    return waiting


def _all_known(text: str) -> Word:
    try:
        return quoted_text(text)
    except WordError:
        return literal(text)


def _mark_background(script: Script, started: int) -> None:
    for number in range(started, len(script.commands)):
        script.commands[number] = replace(script.commands[number], background=True)
