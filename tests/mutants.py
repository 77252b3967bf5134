"""Small wrong changes of a program, one at a time, in a fixed order: what tests should notice."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator

from rlhalt.records import content_key

COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
CALCULATED: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "//",
    ast.Pow: "*",
    ast.BitXor: "|",
}
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "upper": "lower", "lower": "upper", "floor": "ceil"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A changed completion.

    Attributes:
        task: which problem.
        kind: what was changed: comparison, arithmetic, constant, boolean, return, index, call.
        change: from what to what.
        start: where in the completion.
        text: the completion as changed.
    """

    task: str
    kind: str
    change: str
    start: int
    text: str

    @property
    def key(self) -> str:
        """The same for the same change of the same program."""
        return content_key(self.task, self.change, self.start)[:8]


def mutants(task: str, prompt: str, completion: str) -> list[Mutant]:
    """All of a completion, those of one kind and one statement far apart: the first n are spread over both."""
    whole = prompt + completion
    rows = whole.splitlines(keepends=True)
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row))
    found: dict[tuple[int, str], list[Mutant]] = {}
    for node in ast.walk(ast.parse(whole)):
        for kind, old, new in _changes(node, whole):
            begin, end = (
                starts[line - 1] + len(rows[line - 1].encode()[:column].decode())
                for line, column in ((old.lineno, old.col_offset), (old.end_lineno, old.end_col_offset))
            )
            if begin < len(prompt) or new == whole[begin:end]:
                continue
            # "if(a)and b" has no space to lose.
            text = (
                f"{whole[:begin]} {new}{whole[end:]}"
                if whole[begin - 1].isalnum()
                else whole[:begin] + new + whole[end:]
            )
            change = f"{' '.join(whole[begin:end].split())} → {' '.join(new.split())}"
            mutant = Mutant(task, kind, change, begin - len(prompt), text[len(prompt) :])
            found.setdefault((old.lineno, kind), []).append(mutant)
    groups = sorted((sorted(group, key=lambda one: one.key) for group in found.values()), key=lambda one: one[0].key)
    longest = max(map(len, groups), default=0)
    return [group[index] for index in range(longest) for group in groups if index < len(group)]


def _changes(node: ast.AST, whole: str) -> Iterator[tuple[str, ast.expr, str]]:
    """Kind of change, the expression it replaces and what stands there instead."""

    def text(part: ast.AST) -> str:
        return _operand(part, whole)

    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARED:
            yield "comparison", node, f"{text(left)} {COMPARED[type(operator)]} {text(right)}"
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in CALCULATED:
            if not isinstance(left, ast.Constant) or not isinstance(left.value, str):
                yield "arithmetic", node, f"{text(left)} {CALCULATED[type(operator)]} {text(right)}"
        case ast.Constant(value=bool() as value):
            yield "constant", node, str(not value)
        case ast.Constant(value=int() as value):
            yield "constant", node, str(value + 1)
        case ast.Constant(value=float() as value):
            yield "constant", node, str(value + 1)
        case ast.BoolOp(op=operator, values=[left, right]):
            yield "boolean", node, f"{text(left)} {'or' if isinstance(operator, ast.And) else 'and'} {text(right)}"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "boolean", node, text(operand)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield "boolean", test, f"not {text(test)}"
        case ast.Return(value=ast.expr() as value):
            yield "return", value, "None"
        case ast.Subscript(slice=ast.Slice(lower=ast.expr() as lower)):
            yield "index", lower, f"{text(lower)} + 1"
        case ast.Subscript(slice=ast.Slice(upper=ast.expr() as upper)):
            yield "index", upper, f"{text(upper)} - 1"
        case ast.Subscript(slice=index, ctx=ast.Load()) if not isinstance(index, (ast.Slice, ast.Constant)):
            yield "index", index, f"{text(index)} - 1"
        case ast.Call(func=ast.Name(id=name) as function) if name in CALLED:
            yield "call", function, CALLED[name]
        case ast.Call(func=ast.Name(id="range"), args=[*_, last]):
            yield "call", last, f"{text(last)} + 1"


def _operand(node: ast.AST, whole: str) -> str:
    text = ast.get_source_segment(whole, node) or ""
    alone = isinstance(node, (ast.Name, ast.Constant, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Tuple))
    return text if alone else f"({text})"
