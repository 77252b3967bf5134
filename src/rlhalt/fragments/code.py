"""Statements of a Python program, with the character offsets where they stand in the response.

The code of a response stands in its Python blocks between code fences; without fences it is the text from its first to
its last line that looks like code. Prose around it is passed over: it can be no part of a program that passes. All
blocks are cut into fragments. The *program* among them (`program`) is

- the last block that defines the function that is asked for;
- else the last one that is the body of a function; else the last one that defines anything; else the last one;
- with the imports, functions, classes and assignments of other blocks that it needs.

So a draft, an example of use or a block of tests is not the program, and an import in a block before it is.

A fragment is the shortest piece that can be right or wrong by itself:

- a simple statement, on however many lines; those on one line, parted by semicolons, are one each;
- the header of a compound statement, with its decorators, up to its colon (`for x in y:`, `elif x:`, `case 1:`).

Comments, docstrings and other bare constants, and `else:`, `try:` and `finally:` claim nothing and belong to no
fragment. Where the text does not parse, each line that is not only a comment is a fragment; the part before the first
line that does not parse is cut into statements all the same, also where it stops in the middle of a block.

The halting phrase is found as a line of its own, as a comment, and in the prose.
"""

from __future__ import annotations

import ast
import bisect
import builtins
import dataclasses
import functools
import io
import itertools
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence

from rlhalt.fragments.code_names import assigned, bound, own_nodes, used
from rlhalt.fragments.halting_phrase import is_halt
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Fragment

# Atomic groups keep hostile text from being read more than once.
_FENCE = re.compile(
    r"^(?>[ \t]*)(?P<fence>`{3,}|~{3,})(?>[ \t]*)(?P<language>(?>[\w.+#-]*))(?>[^\n`]*)(?:\n|\Z)"
    r"(?P<program>.*?)(?:^[ \t]*(?P=fence)[`~]*[ \t\r]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PYTHON = re.compile(r"i?py(?:thon)?(?:3(?:\.\d+)?)?", re.IGNORECASE)
_DEFINES = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]", re.MULTILINE)
_CODE = re.compile(
    r"^[ \t]*(?:(?:(?:async[ \t]+)?def|class|from|import|return|for|while|if)\b|[\w.]+[ \t]*=[^=])", re.MULTILINE
)
# Between the blocks of a program the fence of the next one stands as a comment.
_BLOCK = re.compile(r"[ \t]*#(?:``|~~)")
_BUILTINS = frozenset(dir(builtins))
_ENDS = (ast.Return, ast.Yield, ast.YieldFrom)
_LINE_END = re.compile(r"\r\n|\r|\n")
_CODE_LINE = re.compile(
    r"[ \t]+\S"
    r"|(?:assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|match|"
    r"nonlocal|pass|raise|return|try|while|with|yield)\b(?!,)"
    r"|(?>[\w.\[\]'\", *]+)(?::(?>[\w.\[\], |]+))?(?:[-+/%&|^@]|//|>>|<<)?=(?!=)"
    r"|[\w.]+\(|[@#)\]}]"
)
_BEGINNINGS = 3  # how often a shorter beginning is tried where a program does not parse

_Place = tuple[int, int]  # row and column of a character, from 0


@dataclasses.dataclass(frozen=True)
class Program:
    """Code of a response.

    Attributes:
        start: where it begins in the response.
        text: as it stands there, but with spaces in place of what is no part of it: halting phrases that are no
            comments, and what stands between its blocks.
    """

    start: int
    text: str

    def lines(self) -> list[tuple[int, str]]:
        """Each line without its end, with the offset in the response where it begins; numbered as Python does.

        Where there are several blocks, without the indentation that all lines of a block have.
        """
        found, begin = [], 0
        for end in _LINE_END.finditer(self.text):
            found.append((self.start + begin, self.text[begin : end.start()]))
            begin = end.end()
        found.append((self.start + begin, self.text[begin:]))
        fences = [row for row, (_, line) in enumerate(found) if _BLOCK.match(line)]
        if not fences:
            return found
        borders = [0, *fences, len(found)]
        return [one for first, last in itertools.pairwise(borders) for one in _dedented(found[first:last])]

    def holds(self, fragment: Fragment) -> bool:
        """Whether a fragment of the response is part of it."""
        begin = fragment.start - self.start
        return begin >= 0 and self.text[begin : begin + len(fragment.text)] == fragment.text


def _dedented(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    inside = [line for _, line in lines if line.strip() and not _BLOCK.match(line)]
    common = min((len(line) - len(line.lstrip(" \t")) for line in inside), default=0)
    return [
        (start, line) if line[:common].strip() else (start + min(common, len(line)), line[common:])
        for start, line in lines
    ]


def code(text: str, phrase: str = HALT_PHRASE) -> list[Fragment]:
    """Cut a response into statements, in the order of the text; nothing is judged yet.

    Each fragment is of kind `statement`, `header`, `line` (where the text does not parse) or `halt`, and has no white
    space at its ends.

    Args:
        text: the response.
        phrase: what the domain halts with.

    >>> [(one.kind, one.text) for one in code("def double(x):\\n    return 2 * x")]
    [('header', 'def double(x):'), ('statement', 'return 2 * x')]
    """
    found: list[Fragment] = []
    begin = 0
    for block in _blocks(text, phrase):
        found += [*_halts(text, begin, block.start, phrase), *_inside(text, block, phrase)]
        begin = block.start + len(block.text)
    return sorted([*found, *_halts(text, begin, len(text), phrase)], key=lambda one: one.start)


def program(text: str, name: str = "", known: Iterable[str] = (), phrase: str = HALT_PHRASE) -> Program | None:
    """The program in a response, None where there is none.

    Args:
        name: the function that is asked for.
        known: names that are there without it.
        phrase: what the domain halts with.
    """
    blocks = [_Block.of(one) for one in _blocks(text, phrase)]
    if not blocks:
        return None
    asked = [one for one in blocks if one.defines(name)]
    main = next(iter([*reversed(asked), *reversed([one for one in blocks if one.is_rest])]), None)
    if main is None:
        main = next((one for one in reversed(blocks) if _DEFINES.search(one.program.text)), blocks[-1])
    needed = _needed(main, blocks, {*known, *_BUILTINS})
    return _joined(text, main, needed) if needed else main.program


def _blocks(text: str, phrase: str) -> list[Program]:
    """The code of a response, block by block."""
    fences = [one for one in _FENCE.finditer(text) if one["program"].strip()]
    if any(True for _ in _FENCE.finditer(text)):
        tagged = any(_PYTHON.fullmatch(one["language"]) for one in fences)
        python = [
            one
            for one in fences
            if _PYTHON.fullmatch(one["language"])
            or (not one["language"] and (not tagged or _CODE.search(one["program"])))
        ]
        return [_program(text, *one.span("program"), phrase) for one in python]
    bare = _program(text, 0, len(text), phrase)
    if parsed := _parsed([line for _, line in bare.lines()]):
        return [bare] if any(map(_does_something, parsed.body)) else []
    lines = [(start, start + len(line)) for start, line in bare.lines() if _CODE_LINE.match(line)]
    return [_program(text, lines[0][0], lines[-1][1], phrase)] if lines else []


def _defines(text: str, name: str) -> bool:
    return bool(name and re.search(rf"^[ \t]*(?:async[ \t]+)?def[ \t]+{re.escape(name)}\b", text, re.MULTILINE))


@dataclasses.dataclass(frozen=True)
class _Block:
    """A block with what it defines.

    Attributes:
        body: its statements with the offsets where each begins and ends in the response; none where it does not parse.
        is_rest: whether it is the body of a function.
    """

    program: Program
    body: list[tuple[ast.stmt, int, int]]
    is_rest: bool

    @classmethod
    def of(cls, found: Program) -> _Block:
        lines = found.lines()
        parsed = _parsed([line for _, line in lines])
        body = []
        for one in parsed.body if parsed else ():
            assert parsed is not None
            begin, end = (lines[row][0] + column for row, column in parsed.span(one))
            body.append((one, begin, end))
        return cls(found, body, any(isinstance(node, _ENDS) for one, *_ in body for node in own_nodes(one)))

    def defines(self, name: str) -> bool:
        """Whether it defines a function; "f = cache(f)" does not."""
        if not self.body:
            return _defines(self.program.text, name)
        return not self.is_rest and any(
            name in bound(one) and not (isinstance(one, ast.Assign) and name in used(one)) for one, *_ in self.body
        )


def _needed(main: _Block, blocks: list[_Block], known: set[str]) -> list[tuple[int, int]]:
    """Where the statements of other blocks stand that bind what the program uses and does not define."""
    position = blocks.index(main)
    others = [*reversed(blocks[:position]), *blocks[position + 1 :]]
    offered = [(bound(one), used(one), begin, end) for block in others for one, begin, end in reversed(block.body)]
    inside = set().union(*(bound(one) for one, *_ in main.body))
    if main.is_rest:
        inside |= set().union(*(assigned(one) for one, *_ in main.body))
    wanted = set().union(*(used(one) for one, *_ in main.body)) - inside - known
    found: list[tuple[int, int]] = []
    while True:
        news = [one for one in offered if one[0] & wanted and (one[2], one[3]) not in found]
        if not news:
            return found
        names, uses, begin, end = news[0]
        found.append((begin, end))
        inside |= names
        wanted = (wanted | uses) - inside - known


def _joined(text: str, main: _Block, spans: list[tuple[int, int]]) -> Program:
    """The program with statements of other blocks."""
    own = (main.program.start, main.program.start + len(main.program.text))
    start, end = min(own[0], *(one for one, _ in spans)), max(own[1], *(one for _, one in spans))
    start = text.rfind("\n", 0, start) + 1
    kept = [char if char.isspace() else " " for char in text[start:end]]
    for first, last in spans:
        kept[first - start : last - start] = text[first:last]
    kept[own[0] - start : own[1] - start] = main.program.text
    for fence in _FENCE.finditer(text):
        if start <= fence.start("fence") < end:
            at = fence.start("fence") - start
            kept[at : at + 3] = "#" + fence["fence"][1:3]
    joined = Program(start, "".join(kept))
    return joined if _parsed([line for _, line in joined.lines()]) else main.program


def layouts(lines: Sequence[str]) -> Iterator[list[str]]:
    """The ways in which the lines of a program may have lost or kept their indentation.

    As they are; without the indentation that all have; and with that of the first one, where it went with the white
    space around the response: the body of a function whose header stands in the prompt.
    """
    yield list(lines)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        return
    indents = [lines[number][: len(lines[number]) - len(lines[number].lstrip(" \t"))] for number in filled]
    shortest = min(indents, key=len)
    common = len(shortest) if all(indent.startswith(shortest) for indent in indents) else 0
    if common:
        yield [line[common:] for line in lines]
    elif not lines[filled[0]][0].isspace():
        yield [f"    {line}" if number == filled[0] else line for number, line in enumerate(lines)]


def _program(text: str, start: int, end: int, phrase: str) -> Program:
    raw = Program(start, text[start:end])
    halts = [(begin, line) for begin, line in raw.lines() if _is_halt(line, phrase)]
    if not halts or _parsed([line for _, line in raw.lines()]):
        return raw
    kept = list(raw.text)
    for begin, line in halts:
        kept[begin - start : begin - start + len(line)] = " " * len(line)
    return Program(start, "".join(kept))


def _is_halt(line: str, phrase: str) -> bool:
    if line.lstrip().startswith("#"):
        return False
    found = sentences(line, phrase)
    # A phrase of several sentences is none of them.
    return is_halt(line, phrase) or (bool(found) and all(one.kind == "halt" for one in found))


def _halts(text: str, start: int, end: int, phrase: str) -> Iterator[Fragment]:
    for one in sentences(text[start:end], phrase):
        if one.kind == "halt":
            yield dataclasses.replace(one, start=start + one.start, end=start + one.end)


def _inside(text: str, found: Program, phrase: str) -> Iterator[Fragment]:
    lines = found.lines()
    parsed = _beginning([line for _, line in lines])
    known = parsed.known if parsed else 0
    if parsed:
        for kind, begin, end in parsed.pieces:
            start, stop = (lines[row][0] + column for row, column in (begin, end))
            yield Fragment(start, stop, kind, text[start:stop])
        for row, column in parsed.comments():
            yield from _halts(text, lines[row][0] + column, lines[row][0] + len(lines[row][1]), phrase)
    for row, (start, line) in enumerate(lines):
        stop = start + len(line)
        if text[start:stop] != line or (row >= known and line.lstrip().startswith("#")):
            yield from _halts(text, start, stop, phrase)
        elif row >= known and line.strip():
            start += len(line) - len(line.lstrip())
            stop = start + len(line.strip())
            yield Fragment(start, stop, "line", text[start:stop])


@dataclasses.dataclass(frozen=True)
class _Parsed:
    """A program that parses, or the beginning of one.

    Attributes:
        body: its statements.
        rows: the lines that were parsed, `above` of which stand before the program.
        known: how many lines of the program are among them.
        shifts: how many characters each line of the program was moved to the right.
        tokens: as Python's tokenizer finds them.
    """

    body: list[ast.stmt]
    rows: list[str]
    above: int
    known: int
    shifts: list[int]
    tokens: list[tokenize.TokenInfo]

    @functools.cached_property
    def pieces(self) -> list[tuple[str, _Place, _Place]]:
        """Kind, begin and end of each statement and header, in order."""
        found = [
            (kind, self._in_program(begin), self._in_program(end))
            for statement in self.body
            for kind, begin, end in self._of(statement)
        ]
        return [one for one in found if one[2][0] < self.known]

    def span(self, statement: ast.stmt) -> tuple[_Place, _Place]:
        """Where a statement begins and ends in the program."""
        end = self._place(statement.end_lineno, statement.end_col_offset)
        return self._in_program(self._begin(statement)), self._in_program(end)

    def comments(self) -> Iterator[_Place]:
        """Where comments begin that stand in no statement."""
        begins = [begin for _, begin, _ in self.pieces]
        for one in self.tokens:
            place = self._in_program((one.start[0] - 1, one.start[1]))
            if one.type == tokenize.COMMENT and place[0] < self.known:
                before = bisect.bisect(begins, place) - 1
                if before < 0 or self.pieces[before][2] <= place:
                    yield place

    def _of(self, node: ast.stmt | ast.excepthandler | ast.match_case) -> Iterator[tuple[str, _Place, _Place]]:
        begin = self._begin(node)
        inner = [getattr(node, name, []) for name in ("body", "handlers", "orelse", "finalbody", "cases")]
        parts = list(itertools.chain(*inner))
        if not parts:
            # A string, number or ellipsis alone, as in a docstring, says nothing.
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                assert isinstance(node, ast.stmt)
                yield "statement", begin, self._place(node.end_lineno, node.end_col_offset)
            return
        if not isinstance(node, (ast.Try, ast.TryStar)):
            row, column = self._last(":", self._begin(parts[0]))
            yield "header", begin, (row, column + 1)
        for part in parts:
            yield from self._of(part)

    def _begin(self, node: ast.stmt | ast.excepthandler | ast.match_case) -> _Place:
        if isinstance(node, ast.match_case):
            return self._last("case", self._place(node.pattern.lineno, node.pattern.col_offset))
        if decorators := getattr(node, "decorator_list", None):
            return self._last("@", self._place(decorators[0].lineno, decorators[0].col_offset))
        return self._place(node.lineno, node.col_offset)

    def _last(self, token: str, before: _Place) -> _Place:
        """Where the last such token before a place begins."""
        places = self._places[token]
        return places[bisect.bisect_left(places, before) - 1]

    @functools.cached_property
    def _places(self) -> dict[str, list[_Place]]:
        found: dict[str, list[_Place]] = {":": [], "@": [], "case": []}
        for one in self.tokens:
            if one.type in (tokenize.OP, tokenize.NAME) and one.string in found:
                found[one.string].append((one.start[0] - 1, one.start[1]))
        return found

    def _place(self, line: int | None, column: int | None) -> _Place:
        """Row and column in characters; Python counts lines from 1 and columns in bytes of UTF-8."""
        assert line is not None
        assert column is not None
        return line - 1, len(self.rows[line - 1].encode()[:column].decode())

    def _in_program(self, place: _Place) -> _Place:
        row = place[0] - self.above
        return row, place[1] - (self.shifts[row] if row < self.known else 0)


def _parsed(lines: Sequence[str], more: Sequence[str] = ()) -> _Parsed | None:
    """The program, None where it does not parse in any layout.

    Args:
        more: lines put after it.
    """
    try:
        return _parse(lines, more)
    except SyntaxError:
        return None


def _beginning(lines: list[str]) -> _Parsed | None:
    """The longest beginning of a program that is found to parse."""
    for _ in range(_BEGINNINGS):
        try:
            return _parse(lines)
        except SyntaxError as error:
            end = error.lineno or 1
        # A program that was left in the middle of a block lacks the statement that its last header promises.
        last = next((line for line in reversed(lines) if line.strip()), "")
        indented = last[: len(last) - len(last.lstrip())] + "    pass"
        if last.rstrip().endswith(":") and (parsed := _parsed(lines, [indented])):
            return parsed
        lines = lines[: min(end, len(lines)) - 1]
        if not any(line.strip() for line in lines):
            return None
    return None


def _parse(lines: Sequence[str], more: Sequence[str] = ()) -> _Parsed:
    """The program in the first layout that parses.

    Raises:
        SyntaxError: there is none; its line is the last that one of them comes to, counted in the program.
    """
    reached = 0
    for layout in layouts(lines):
        for above in ([], ["def _():"]):
            rows = [*above, *layout, *more]
            text = "\n".join(rows)
            try:
                body = ast.parse(text).body
                tokens = list(tokenize.generate_tokens(io.StringIO(text + "\n").readline))
            except SyntaxError as error:
                reached = max(reached, (error.lineno or 1) - len(above))
            except (ValueError, MemoryError, RecursionError, tokenize.TokenError):
                continue
            else:
                if above and isinstance(body[0], ast.FunctionDef):
                    body = [*body[0].body, *body[1:]]
                shifts = [len(new) - len(old) for new, old in zip(layout, lines, strict=True)]
                return _Parsed(body, rows, len(above), len(lines), shifts, tokens)
    failure = SyntaxError("no layout parses")
    failure.lineno = max(reached, 1)
    raise failure


def _does_something(statement: ast.stmt) -> bool:
    """Whether it is more than a word or a string, as which a line of prose may parse."""
    return not (isinstance(statement, ast.Expr) and isinstance(statement.value, (ast.Name, ast.Constant, ast.Tuple)))
