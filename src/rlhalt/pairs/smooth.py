"""An answer with gaps made fluent by a language model. Optional and off: nothing in rlhalt calls it by itself.

Where fragments are sentences, leaving one out leaves good text. Where they are parts of a sentence, it does not: "Ada
Berg is a Norwegian painter born in 1902." without "painter" is no English. HALT lets a language model write the
remaining statements as a text (arXiv 2506.04051, independent facts); this is that step.

    kept = [fragment.claim or fragment.text for fragment in row.fragments if fragment.label == "correct"]
    text = smooth(client, kept)

The model is told to add and to leave out nothing. What can be checked of that is checked: figures, and names as far as
capital letters tell them, must be the same. The rest is the model's word; what it wrote has been judged by nobody, and
where that matters it is to be scored anew.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from rlhalt.errors import InputError
from rlhalt.llm import CallFailure, Client, Request, read_json
from rlhalt.prompting import RULES, messages, quoted
from rlhalt.records import Json

_VERSION = "smooth/1"
_INSTRUCTIONS = """You write statements as one fluent text. The data are statements, one a line, in their order. Write a
text that says exactly what they say, in this order and in their language: add nothing, leave nothing out, change no
name and no figure, and do not comment on them. Keep the words of the statements where you can."""
_REPLY = """

How to reply: one JSON object and nothing else: {"text": "the fluent text"}"""
_SCHEMA: Json = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:;\n\"“(])\W*$")


def smooth(client: Client, statements: Sequence[str]) -> str:
    """Statements as one fluent text.

    Raises:
        CallFailure: no reply, or one with other figures or names than the statements.
        BudgetExceeded: see `rlhalt.llm`.
        InputError: no statements; the server does not take key, address or model.
    """
    if not statements:
        raise InputError("expected at least one statement, found none", field="statements")
    read = functools.partial(_read, statements=statements)
    return client.submit(client.ask(request(statements), read)).result()


def request(statements: Sequence[str]) -> Request:
    """The question to the model about these statements."""
    lines = [quoted(one) for one in statements]
    asking, code = messages(_INSTRUCTIONS + RULES + _REPLY, {"statements": lines}, "Write the text.")
    room = 256 + sum(len(one.encode()) for one in lines)
    return Request(asking, _VERSION, room, _SCHEMA, code)


def _read(reply: str, statements: Sequence[str]) -> tuple[str, bool]:
    data = read_json(reply)
    if not isinstance(data, dict) or data.keys() != {"text"} or not isinstance(data["text"], str):
        raise CallFailure("wrong schema", "expected an object with a text")
    text = data["text"].strip()
    if not text:
        raise CallFailure("empty reply", "expected a text, found none")
    source = "\n".join(statements)
    if added := _telling(text) - _words(source):
        raise CallFailure("wrong schema", f"expected nothing but the statements, found {sorted(added)[0]!r}")
    if lost := _telling(source) - _words(text):
        raise CallFailure("wrong schema", f"expected all statements, found none with {sorted(lost)[0]!r}")
    return text, True


def _words(text: str) -> set[str]:
    return {one.casefold() for one in _WORD.findall(text)}


def _telling(text: str) -> set[str]:
    """Figures, and capitalised words where a small letter would do."""
    return {
        one[0].casefold()
        for one in _WORD.finditer(text)
        if one[0][0].isdigit() or (one[0][0].isupper() and not _SENTENCE_START.search(text[: one.start()]))
    }
