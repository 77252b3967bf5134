"""A program without one of its fragments: what the tests must notice for the fragment to have earned anything."""

from __future__ import annotations

import ast
import re

from rlhalt.records import Fragment

_WORD = re.compile(r"\w*")
_NAME = re.compile(r"^([ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+\w+)", re.MULTILINE)


def without(text: str, start: int, fragment: Fragment) -> str:
    """The program in which a statement does nothing, a branch or loop is never taken, a function has another name.

    Args:
        text: the program.
        start: where it begins in the response that the fragment's offsets point into.
    """
    instead = "pass" if fragment.kind == "statement" else _never(fragment.text)
    return text[: fragment.start - start] + instead + text[fragment.end - start :]


def _never(header: str) -> str:
    match _WORD.match(header)[0]:  # type: ignore[index]  # matches everywhere
        case "if" | "elif" | "while" as word:
            return f"{word} False:"
        case "for":
            loop = ast.parse(f"{header} pass").body[0]
            assert isinstance(loop, ast.For)
            return f"for {ast.unparse(loop.target)} in ():"
        case "with":
            return "if True:"
        case "except" if not header.startswith("except*"):
            return "except ():"
        case "case":
            choice = ast.parse(f"match _:\n {header} pass").body[0]
            assert isinstance(choice, ast.Match)
            return f"case {ast.unparse(choice.cases[0].pattern)} if False:"
        case "match":
            return "match object():"
    return _NAME.sub(r"\1_", header, count=1)
