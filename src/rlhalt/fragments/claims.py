"""Atomic claims, by a language model: each with the words of the response it comes from, put so that it stands alone.

    text ─ sentences ─ request ─► one call ─ read_claims ─► fragments with a claim each, or a failure

FActScore (Min et al., arXiv 2305.14251, section 3.1) lets a model break each sentence into independent facts. Here each
fact also comes with a quote, so that a verdict has a place in the text. A quote is looked for in its sentence, from
where the quote before it ended; its characters may differ as `rlhalt.fragments.quotes` says. A quote out of order is
taken where it stands exactly once. Where two claims quote the same or overlapping words, which is how models split "an
American actor", they are one fragment that says both.

What no claim quotes is in no fragment. A reply that cannot be tied to the text is a failure: no fragment is made of
what only the model says. The text is data, see `rlhalt.chat.prompting`; a sentence that is the halting phrase is not
asked about and stays a `halt`.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhalt.chat.prompting import RULES, instructions, messages, quoted
from rlhalt.fragments.languages import SentenceSplitter
from rlhalt.fragments.quotes import find, find_alike
from rlhalt.llm import CallFailure, Client, Request, Usage, read_json
from rlhalt.records import Fragment, Json, content_key

# Of the layout of prompts, and of the form and the reading of replies: another version splits anew.
_VERSION = 3
_ENGLISH = SentenceSplitter()

_REPLY = """ The data are the sentences of one answer, numbered, in its order.

How to reply: one JSON object and nothing else, with one entry for each sentence, in their order, by its number:
{"sentences": [{"id": 1, "claims": [{"quote": "words of the sentence", "claim": "A statement that stands alone."}]}]}
Each quote is copied from its sentence without any change. Quotes of one sentence come in its order and share no words.
A sentence without any claim has an empty list."""

_CLAIM: Json = {
    "type": "object",
    "properties": {"quote": {"type": "string"}, "claim": {"type": "string"}},
    "required": ["quote", "claim"],
    "additionalProperties": False,
}

# Texts are kept; a comma before the end of a list or object goes.
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


def _schema(count: int) -> Json:
    """The form of a reply: a server that holds a model to it gets one entry for each of so many sentences."""
    sentence: Json = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "enum": list(range(1, count + 1))},
            "claims": {"type": "array", "items": _CLAIM},
        },
        "required": ["id", "claims"],
        "additionalProperties": False,
    }
    sentences: Json = {"type": "array", "items": sentence, "minItems": count, "maxItems": count}
    return {
        "type": "object",
        "properties": {"sentences": sentences},
        "required": ["sentences"],
        "additionalProperties": False,
    }


class ClaimsFragmenter:
    """Cuts a response into atomic claims by asking a language model; called as `sentences` is.

    Args:
        client: asks the model.
        prompt: a text file that says what a claim of this domain is.
        split: cuts a response into the sentences that are asked about, and its halting phrases.

    Raises:
        InputError: no such prompt, or an empty one.
    """

    def __init__(self, client: Client, prompt: str | Path, split: SentenceSplitter = _ENGLISH) -> None:
        self._prompt = instructions(prompt, "the prompt for splitting into claims")
        self._client = client
        self._sentences = split
        self._version = f"claims/{_VERSION}-{content_key(self._prompt, split.name)[:8]}"

    @property
    def name(self) -> str:
        """`claims/VERSION-PROMPT/MODEL`; another prompt or another model splits in another way."""
        return f"{self._version}/{self._client.server.model}"

    def __call__(self, text: str) -> list[Fragment]:
        """The claims of a text, in its order, of kind `claim`, and its halting phrases, of kind `halt`.

        May be called from several threads.

        Raises:
            CallFailure: no reply, or one that cannot be tied to the text.
            InputError: the server does not take key, address or model.
            BudgetExceeded: see `rlhalt.llm`.
        """
        return self._client.submit(self._split(text)).result()

    async def split(self, text: str) -> list[Fragment]:
        """As calling it, on any event loop; any number may be under way together."""
        return await asyncio.wrap_future(self._client.submit(self._split(text)))

    def estimate(self, texts: Iterable[str]) -> Usage:
        """What splitting these texts would cost, without asking."""
        return self._client.estimate(self.request(asked) for text in texts if (asked := self._asked(text)))

    async def _split(self, text: str) -> list[Fragment]:
        asked = self._asked(text)
        claims: list[Fragment] = []
        if asked:
            claims = await self._client.ask(self.request(asked), functools.partial(_read, text=text, asked=asked))
        halts = [one for one in self._sentences(text) if one.kind == "halt"]
        return sorted([*claims, *halts], key=lambda one: one.start)

    def request(self, asked: Sequence[Fragment]) -> Request:
        """The question to the model about these sentences."""
        lines = [f"{number} {quoted(one.text)}" for number, one in enumerate(asked, start=1)]
        asking, code = messages(
            self._prompt + RULES + _REPLY, {"sentences": lines}, f"Split the sentences 1 to {len(asked)} into claims."
        )
        # Quote and claim say each word about twice, the subject once more for every claim, and braces around them: as
        # many tokens as the text has bytes are enough.
        room = 256 + 64 * len(asked) + sum(len(one.encode()) for one in lines)
        return Request(asking, self._version, room, _schema(len(asked)), code)

    def _asked(self, text: str) -> list[Fragment]:
        return [one for one in self._sentences(text) if one.kind != "halt"]


def _read(reply: str, text: str, asked: Sequence[Fragment]) -> tuple[list[Fragment], bool]:
    return read_claims(reply, text, asked), True


def read_claims(reply: str, text: str, asked: Sequence[Fragment]) -> list[Fragment]:
    """A reply, read strictly: the claims of the sentences of a text.

    What stands around the object (prose, a code fence, reasoning before it), a number as text, and keys that were not
    asked for change nothing.

    The fragments are sorted, do not overlap, and lie within the sentences; each has at least one letter or digit and no
    white space at its ends. `claim` is the model's statement on one line, or several where quotes overlap.

    Raises:
        CallFailure: no JSON of the asked form; a sentence that is left out, stands twice or does not exist; a quote
            that is not in its sentence after the one before it.
    """
    entries = _member(_object(_json(reply), {"sentences"}), "sentences", list)
    found: dict[int, list[Any]] = {}
    for entry in entries:
        sentence = _object(entry, {"id", "claims"})
        number = _number(sentence["id"])
        if type(number) is not int or not 1 <= number <= len(asked):  # a boolean is an int
            raise CallFailure("wrong schema", f"expected sentences 1 to {len(asked)}, found {str(number)[:40]!r}")
        if number in found:
            raise CallFailure("wrong schema", f"found sentence {number} twice")
        found[number] = _member(sentence, "claims", list)
    missing = [number for number in range(1, len(asked) + 1) if number not in found]
    if missing:
        raise CallFailure("wrong schema", f"expected {len(asked)} sentences, found {len(found)}, {missing[0]} missing")
    return [one for number in sorted(found) for one in _tied(text, asked[number - 1], number, found[number])]


def _json(reply: str) -> Any:
    """The JSON value that is the reply, or the one object that stands in it."""
    answer = reply.rpartition("</think>")[2] if reply.lstrip().startswith("<think>") else reply
    try:
        return read_json(answer)
    except CallFailure:
        begin, end = answer.find("{"), answer.rfind("}") + 1
        if begin < 0 or end <= begin:
            raise
        return read_json(_LAST_COMMA.sub(lambda one: one[1] or "", answer[begin:end]))


def _number(value: Any) -> Any:
    """The number of a sentence, which may be given as text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value) else value


def _object(value: Any, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not value.keys() >= keys:
        raise CallFailure("wrong schema", f"expected an object with {', '.join(sorted(keys))}")
    return value


def _member(data: Mapping[str, Any], name: str, kind: type) -> Any:
    if not isinstance(data[name], kind):
        raise CallFailure("wrong schema", f"expected {name} to be a {kind.__name__}")
    return data[name]


def _tied(text: str, sentence: Fragment, number: int, claims: Sequence[Any]) -> list[Fragment]:
    """The claims of one sentence where their quotes stand; those on overlapping words are one fragment."""
    placed: list[tuple[tuple[int, int], str]] = []
    for entry in claims:
        data = _object(entry, {"quote", "claim"})
        quote, claim = (" ".join(_member(data, name, str).split()) for name in ("quote", "claim"))
        if not claim or not any(char.isalnum() for char in quote):
            raise CallFailure("wrong schema", f"expected a quote and a claim in words, of sentence {number}")
        span = _place(text, quote, sentence, placed[-1][0] if placed else None)
        if span is None:
            raise CallFailure("wrong schema", f"found a quote that is not in sentence {number}, or not in its order")
        placed.append((span, claim))
    found: list[Fragment] = []
    for (start, end), claim in sorted(placed, key=lambda one: one[0][0]):
        if found and start < found[-1].end:
            last = found.pop()
            start, end = last.start, max(last.end, end)
            claim = f"{last.claim} {claim}" if claim != last.claim else claim
        found.append(Fragment(start, end, "claim", text[start:end], claim=claim))
    return found


def _place(text: str, quote: str, sentence: Fragment, before: tuple[int, int] | None) -> tuple[int, int] | None:
    """Where a quote stands: after the one before it, over it, else at the one place where it does."""
    starts = [sentence.start] if before is None else [before[1], before[0]]
    for look in (find, find_alike):
        for start in starts:
            if span := look(text, quote, start, sentence.end):
                return span
    for look in (find, find_alike):
        span = look(text, quote, sentence.start, sentence.end)
        if span and look(text, quote, span[0] + 1, sentence.end) is None:
            return span
    return None
