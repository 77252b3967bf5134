"""A language model as the verifier: it sees the reference and the fragments, and says of each what it finds.

    reference, fragments ─ request ─► one call for the whole response ─ read_verdicts ─► a verdict or a failure each

Text under judgement is data, see `rlhalt.chat.prompting`. What a reply says counts only where it is exactly the JSON
that was asked for (see `rlhalt.llm.read_answer`): a fragment has exactly one verdict, or it *failed*.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rlhalt.chat.prompting import RULES, instructions, messages, quoted
from rlhalt.errors import InputError, VerifierFailure
from rlhalt.fragments.sentences import sentences
from rlhalt.llm import CallFailure, Client, Request, Usage, read_answer
from rlhalt.records import Fragment, Json, content_key
from rlhalt.verifiers import Verdict

Outcome = Verdict | VerifierFailure

# Of the layout of prompts, and of the form and the reading of replies: another version judges anew.
_VERSION = 4
_LABELS = ("correct", "incorrect", "unverifiable")
# What the reply left out is asked for once more; a judge that leaves it out again is broken.
_ROUNDS = 2
_WHOLE = 4000  # characters of reference that are shown uncut
_PASSAGE = 500  # characters
_WORD = re.compile(r"\w+")
_PASSAGES_A_FRAGMENT = 5  # as FActScore (arXiv 2305.14251) retrieves
_CLAUSE = re.compile(r"(?:[^\w\s'’]+(?:\s|$))+")  # what separates clauses; not the comma of 1,815
_RUN = 4  # words
_PASSAGES_A_RUN = 2

_REPLY = """ The last line says which fragments to judge. Where a second string follows a fragment's own, it
is what the fragment says, put so that it can be read alone: judge that statement. A statement that the fragment, read
after the fragments before it, does not make is unverifiable.

How to reply: one JSON object and nothing else, with one entry for each fragment asked for, by its number:
{"verdicts": [{"id": 1, "evidence": "what in the reference decides it, in a few words", "label": "correct"}]}
where each label is "correct", "incorrect" or "unverifiable"."""


def _schema(asked: Sequence[int]) -> Json:
    """The form of a reply: a server that holds a model to it gets one verdict for each fragment asked for."""
    verdict: Json = {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "enum": list(asked)},
            "evidence": {"type": "string"},
            "label": {"type": "string", "enum": list(_LABELS)},
        },
        "required": ["id", "evidence", "label"],
        "additionalProperties": False,
    }
    verdicts: Json = {"type": "array", "items": verdict, "minItems": len(asked), "maxItems": len(asked)}
    return {
        "type": "object",
        "properties": {"verdicts": verdicts},
        "required": ["verdicts"],
        "additionalProperties": False,
    }


class JudgeVerifier:
    """Judges fragments by a language model; implements `rlhalt.verifiers.Verifier`.

    Args:
        client: asks the judge.
        prompt: a text file that says how this domain is judged.
        fields: what a reference must hold, texts or lists of texts; shown to the judge under these names, in this
            order, long texts cut to the passages nearest to the fragments. Others are not shown.

    Raises:
        InputError: no such prompt, or an empty one.
    """

    def __init__(self, client: Client, prompt: str | Path, fields: Sequence[str]) -> None:
        self._prompt = instructions(prompt, "the judge's prompt")
        self._client = client
        self._fields = tuple(fields)
        # Settings that may decide a verdict make another verifier, how hard the model reasons say.
        asked = [client.server.body] if client.server.body else []
        self._version = f"judge/{_VERSION}-{content_key(self._prompt, self._fields, *asked)[:8]}"

    @property
    def name(self) -> str:
        """`judge/VERSION-PROMPT/MODEL`; another prompt or another model is another verifier."""
        return f"{self._version}/{self._client.server.model}"

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Outcome]:
        """A verdict, or the failure that stands in its place, for each fragment, in order.

        Fragments that this verifier has labelled before are not asked for again. May be called from several threads.

        Raises:
            InputError: the reference lacks a field, or the server does not take key, address or model.
            BudgetExceeded: see `rlhalt.llm`.
        """
        return self._client.submit(self._judge(fragments, reference)).result()

    async def averify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Outcome]:
        """As `verify`, on any event loop; any number may be under way together."""
        return await asyncio.wrap_future(self._client.submit(self._judge(fragments, reference)))

    def estimate(self, cases: Iterable[tuple[Sequence[Fragment], Json]]) -> Usage:
        """What judging these fragments by these references would cost, without asking."""
        requests = (
            self.request(fragments, asked, reference)
            for fragments, reference in cases
            if (asked := [number for number, one in enumerate(fragments, start=1) if self._known(one) is None])
        )
        return self._client.estimate(requests)

    def _known(self, fragment: Fragment) -> Verdict | None:
        """The verdict that needs no asking."""
        if fragment.kind == "halt":
            return Verdict("halt", "the halting phrase")
        if fragment.label is not None and fragment.verifier == self.name:
            return Verdict(fragment.label, fragment.evidence or "", fragment.probability)
        return None

    async def _judge(self, fragments: Sequence[Fragment], reference: Json) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        for number, fragment in enumerate(fragments, start=1):
            outcomes[number] = self._known(fragment) or VerifierFailure("not asked")
        before: list[int] = []
        for _ in range(_ROUNDS):
            asked = [number for number, one in outcomes.items() if isinstance(one, VerifierFailure)]
            # The same question would get the same reply.
            if not asked or asked == before:
                break
            before = asked
            try:
                request = self.request(fragments, asked, reference)
                outcomes |= await self._client.ask(request, functools.partial(_read, asked=asked))
            except CallFailure as failure:
                outcomes |= dict.fromkeys(asked, failure)
                break
        return [outcomes[number] for number in range(1, len(fragments) + 1)]

    def request(self, fragments: Sequence[Fragment], asked: Sequence[int], reference: Json) -> Request:
        """The question to the judge: all fragments for their context, verdicts on those with the numbers `asked`.

        Raises:
            InputError: the reference lacks a field.
        """
        queries = [fragments[number - 1].claim or fragments[number - 1].text for number in asked]
        sections = {name: [quoted(text) for text in _shown(reference, name, queries)] for name in self._fields}
        sections["fragments"] = [_line(number, one) for number, one in enumerate(fragments, start=1)]
        task = f"Judge the fragments {', '.join(map(str, asked))}."
        asking, code = messages(self._prompt + RULES + _REPLY, sections, task)
        return Request(asking, self._version, 128 + 96 * len(asked), _schema(asked), code)


def _line(number: int, fragment: Fragment) -> str:
    texts = [fragment.text] if fragment.claim is None else [fragment.text, fragment.claim]
    return " ".join([str(number), *map(quoted, texts)])


def _read(text: str, asked: Sequence[int]) -> tuple[dict[int, Outcome], bool]:
    outcomes = read_verdicts(text, asked)
    return outcomes, all(isinstance(one, Verdict) for one in outcomes.values())


def read_verdicts(text: str, asked: Sequence[int]) -> dict[int, Outcome]:
    """A reply, read strictly: for each number asked for its verdict, or a failure where there is none.

    Raises:
        CallFailure: no JSON of the asked form; or a number that stands twice or was not asked for: a judge that has
            lost count may have given every verdict to the wrong fragment.
    """
    data = read_answer(text)
    entries = data.get("verdicts") if isinstance(data, dict) and len(data) == 1 else None
    if not isinstance(entries, list):
        raise CallFailure("wrong schema", "expected an object with a list of verdicts and nothing else")
    outcomes: dict[int, Outcome] = {}
    for entry in entries:
        number = entry.get("id") if isinstance(entry, dict) else None
        if type(number) is not int:  # a boolean is an int
            raise CallFailure("wrong schema", "expected verdicts with a number as id")
        if number not in asked:
            raise CallFailure("wrong schema", f"found a verdict for {str(number)[:20]}, which was not asked for")
        if number in outcomes:
            raise CallFailure("wrong schema", f"found two verdicts for {number}")
        outcomes[number] = _verdict(entry)
    missing = CallFailure("wrong schema", f"expected {len(asked)} verdicts, found {len(entries)} without this one")
    return {number: outcomes.get(number, missing) for number in asked}


def _verdict(entry: Json) -> Outcome:
    label, evidence = entry.get("label"), entry.get("evidence")
    if entry.keys() != {"id", "evidence", "label"} or not isinstance(evidence, str):
        return CallFailure("wrong schema", "expected id, evidence and label, found other fields")
    if label not in _LABELS:
        return CallFailure("wrong schema", f"expected a label of {', '.join(_LABELS)}, found another")
    return Verdict(label, " ".join(evidence.split())[:300])


def _shown(reference: Json, name: str, queries: Sequence[str]) -> list[str]:
    value = reference.get(name)
    if isinstance(value, str) and _WORD.search(value):
        return passages(value, queries)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return value
    raise InputError(f"expected a reference with {name!r}, a text or a list of texts", field="reference")


def passages(text: str, queries: Sequence[str]) -> list[str]:
    """The parts of a text that decide about the queries, in its order.

    All of a text up to 4,000 characters; of a longer one its beginning, which says what it is about, and the passages
    of about 500 characters nearest to each query by BM25 (Robertson and Zaragoza 2009): the five nearest to the whole
    query, and the two nearest to each run of four words of its clauses. What a run finds is shown whatever words stand
    around it: a fragment cannot push out the passage that contradicts it.
    """
    if len(text) <= _WHOLE:
        return [text]
    parts, nearest = _index(text)
    chosen = {0}
    for query in queries:
        chosen.update(nearest(tuple(_words(query)), _PASSAGES_A_FRAGMENT))
        for run in _runs(query):
            chosen.update(nearest(run, _PASSAGES_A_RUN))
    return [parts[one] for one in sorted(chosen)]


def _runs(query: str) -> set[tuple[str, ...]]:
    """Each run of words within a clause; a shorter clause is one run."""
    clauses = [_words(clause) for clause in _CLAUSE.split(query)]
    return {
        tuple(words[start : start + _RUN])
        for words in clauses
        for start in range(max(1, len(words) - _RUN + 1))
        if words
    }


# The k responses to one prompt share its reference.
@functools.lru_cache(maxsize=64)
def _index(text: str) -> tuple[list[str], Callable[[tuple[str, ...], int], list[int]]]:
    """The passages of a text, and what gives the numbers of the passages nearest to some words."""
    import bm25s

    parts = _split(text)
    index = bm25s.BM25()
    index.index([_words(one) for one in parts], show_progress=False)

    def nearest(words: tuple[str, ...], most: int) -> list[int]:
        if not words:
            return []
        scores = index.get_scores(list(words))
        best = sorted(range(len(parts)), key=lambda one: -scores[one])[:most]
        return [one for one in best if scores[one] > 0]

    return parts, nearest


def _split(text: str) -> list[str]:
    """Passages of whole sentences, of 500 characters where sentences allow; longer sentences are cut."""
    spans: list[tuple[int, int]] = []
    for one in sentences(text):
        for start in range(one.start, one.end, _PASSAGE):
            end = min(start + _PASSAGE, one.end)
            if spans and end - spans[-1][0] <= _PASSAGE:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
    return [text[start:end] for start, end in spans]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
