"""The typed rows that every stage reads and writes.

    prompts ─ sample ─► responses ─ score ─► scored ─ pairs ─► pairs

A row is a frozen record; its file is JSON lines (`rlhalt.files.jsonl`) that `datasets.load_dataset("json", ...)` reads
as it is. Every row has a key. A stage that is run again does only the missing and the failed rows, and those that are
made of something else now. While it runs, finished rows are appended to `NAME.part` (`rlhalt.files.journal`); at its
end the output is replaced whole and the part is removed. A process killed at any point loses at most the row it was
writing. Beside each output lies its `run.json`.

Of rows that people bring, `prompt` and `reference`, with `response` where there is one, are required; or `prompt`,
`chosen` and `rejected`; or `prompt` and `completion`. Texts stand for chat messages there, and the rest is derived.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from rlhalt.files.jsonl import R, Row, Rows, dumps, iter_json, read, write
from rlhalt.files.strict_json import Json, Wrong, parse_line
from rlhalt.files.text import write_atomic

__all__ = [
    "HALT_PHRASE",
    "LABELS",
    "Certainty",
    "Confidence",
    "Continuation",
    "Decision",
    "Fragment",
    "Json",
    "Label",
    "Message",
    "Pair",
    "Prompt",
    "R",
    "Response",
    "Row",
    "Rows",
    "Scored",
    "Target",
    "content_key",
    "dumps",
    "file_hash",
    "iter_json",
    "parse_line",
    "read",
    "split_of",
    "write",
    "write_atomic",
]

Label = Literal["correct", "incorrect", "unverifiable", "halt"]
LABELS: tuple[str, ...] = get_args(Label)
Message = dict[str, str]
SPLITS = ("train", "heldout")
_ONE_IN = 5

if TYPE_CHECKING:
    # What a program sees: None where there is nothing.
    _MaybeLabel = Label | None
    _Numbers = list[float]
else:
    # What a file holds: "" and null, see `rlhalt.files.jsonl.dumps`.
    _MaybeLabel = Literal["correct", "incorrect", "unverifiable", "halt", ""] | None
    _Numbers = list[float | None]

HALT_PHRASE = "Unsure from here."


def content_key(*parts: object) -> str:
    """A key of 16 hex digits from JSON-serialisable parts; equal content gives equal keys on every machine.

    >>> content_key("Kenya", {"n": 1}) == content_key("Kenya", {"n": 1})
    True
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, first 16 hex digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:16]


def split_of(content: object) -> str:
    """`heldout` for one in five, `train` for the others, by what they say.

    Looks random, needs no seed, and no prompt changes sides when others join or leave the file.

    >>> [split_of(number) for number in range(1000)].count("heldout")
    209
    """
    return "heldout" if int(content_key(content), 16) % _ONE_IN == 0 else "train"


def user(text: str) -> list[Message]:
    """A question as chat messages."""
    return [{"role": "user", "content": text}]


def _said(data: Json, name: str, role: str) -> None:
    """Put chat messages in the place of a text."""
    if isinstance(data[name], str):
        data[name] = [{"role": role, "content": data[name]}]


def _asked(data: Json) -> Json:
    """A row that people brought, with messages, domain and split."""
    _said(data, "prompt", "user")
    data.setdefault("domain", "")
    if "split" not in data:
        data["split"] = split_of(data["prompt"])
    return data


def check_messages(messages: Sequence[Message], field: str) -> None:
    """See that there are messages, each with a role and a text.

    Raises:
        Wrong: naming the field.
    """
    if not messages:
        raise Wrong(field, "expected at least one chat message, found none")
    for place, one in enumerate(messages):
        if one.keys() < {"role", "content"} or not one.keys() >= {"role", "content"}:
            raise Wrong(f"{field}[{place}]", f"expected messages with role and content, found {sorted(one)}")
        if not one["content"].strip() or not one["role"].strip():
            raise Wrong(f"{field}[{place}]", "expected a message with a role and text, found an empty one")


def _check_key(row: Any) -> None:
    if not row.key.strip():
        raise Wrong("key", "expected a key, found an empty one")


def _check_choice(value: str, known: Sequence[str], field: str) -> None:
    if value not in known:
        raise Wrong(field, f"expected {' or '.join(known)}, found {value!r}")


def _check_within(value: float, low: float, high: float, field: str) -> None:
    if not low <= value <= high:
        raise Wrong(field, f"expected a number from {low:g} to {high:g}, found {value:g}")


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A question with its reference.

    Attributes:
        prompt: chat messages, without few-shot examples.
        reference: what the domain's verifier needs, for countries `{"subject": "France"}`.
        domain: the name of the folder under `reward/` that judges the response; "" where it is not said.
        split: `train` or `heldout`.
    """

    required: ClassVar[tuple[str, ...]] = ("prompt", "reference")

    key: str
    prompt: list[Message]
    reference: Json
    domain: str
    split: str

    @classmethod
    def complete(cls, data: Json, seen: Counter[Any]) -> Json:
        """See `rlhalt.files.jsonl.Row`."""
        data = _asked(data)
        data.setdefault("key", content_key(data["prompt"], data["domain"]))
        return data

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        check_messages(self.prompt, "prompt")
        _check_choice(self.split, SPLITS, "split")


@dataclasses.dataclass(frozen=True)
class Response:
    """What a policy wrote to a prompt.

    Attributes:
        prompt_key: the key of the prompt.
        index: which of the k responses to this prompt, from 0.
        finish_reason: `stop` or `length` (cut off at the token limit).
        sampler: everything that decided the text: model, engine, temperature, seed, few-shot count, token limit; empty
            where people brought the row.
        n_tokens: tokens generated, the end-of-turn token not counted; 0 where they are not known.
    """

    required: ClassVar[tuple[str, ...]] = ("prompt", "response", "reference")

    key: str
    prompt_key: str
    index: int
    prompt: list[Message]
    response: str
    reference: Json
    domain: str
    split: str
    finish_reason: str
    sampler: Json
    n_tokens: int

    @classmethod
    def complete(cls, data: Json, seen: Counter[Any]) -> Json:
        """See `rlhalt.files.jsonl.Row`. The key says which response to which prompt this is, without its text."""
        data = _asked(data)
        data.setdefault("prompt_key", content_key(data["prompt"], data["domain"]))
        if "index" not in data:
            data["index"] = seen[str(data["prompt_key"])]
            seen[str(data["prompt_key"])] += 1
        data.setdefault("sampler", {})
        data.setdefault("key", content_key(data["prompt_key"], data["sampler"], data["index"]))
        data.setdefault("finish_reason", "stop")
        data.setdefault("n_tokens", 0)
        return data

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        check_messages(self.prompt, "prompt")
        _check_choice(self.split, SPLITS, "split")
        _check_choice(self.finish_reason, ("stop", "length"), "finish_reason")
        _check_within(self.index, 0, math.inf, "index")
        _check_within(self.n_tokens, 0, math.inf, "n_tokens")


@dataclasses.dataclass(frozen=True)
class Fragment:
    """The smallest piece of a response that can be right or wrong by itself.

    Attributes:
        start, end: character offsets into the response; `text == response[start:end]`.
        kind: what the fragmenter took it for: `sentence`, `halt`, ...
        label: the verdict; null where none was reached because the verifier *failed* (the reason in `error`) or
            because the fragment has not been judged yet (`error` null too).
        probability: how sure the verifier is of its verdict, where it says so.
        verifier: name and version of the verifier that judged.
        evidence: what the verdict rests on, one line for a person.
        claim: what the text says, as a statement that stands by itself, where a fragmenter made one.
    """

    start: int
    end: int
    kind: str
    text: str
    label: _MaybeLabel = None
    probability: float | None = None
    verifier: str | None = None
    evidence: str | None = None
    error: str | None = None
    claim: str | None = None

    def __post_init__(self) -> None:
        # A file says "" and -1.0 where there is nothing, see `rlhalt.files.jsonl.dumps`.
        for name in ("label", "verifier", "evidence", "error", "claim"):
            if getattr(self, name) == "":
                object.__setattr__(self, name, None)
        if self.probability == -1:
            object.__setattr__(self, "probability", None)

    @property
    def failed(self) -> bool:
        """Whether the verifier broke on this fragment. Failed is not wrong."""
        return self.label is None and self.error is not None


@dataclasses.dataclass(frozen=True)
class Scored(Response):
    """A response with its fragments, in the order of the text.

    Attributes:
        made_of: a fingerprint of the response and of what judged it, see `rlhalt.scoring.Scorer.made_of`; "" in files
            of earlier versions.
    """

    required: ClassVar[tuple[str, ...]] = ("prompt", "response", "reference", "fragments")

    fragments: list[Fragment]
    made_of: str = ""

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        super().check()
        for place, one in enumerate(self.fragments):
            if not 0 <= one.start <= one.end <= len(self.response) or self.response[one.start : one.end] != one.text:
                raise Wrong(f"fragments[{place}]", f"a fragment's offsets do not point at its text {one.text[:60]!r}")
            if one.probability is not None and not 0 <= one.probability <= 1:
                raise Wrong(
                    f"fragments[{place}].probability", f"expected a number from 0 to 1, found {one.probability:g}"
                )
            if one.label is not None and one.error is not None:
                raise Wrong(f"fragments[{place}]", f"expected a label or an error, found {one.label!r} and an error")

    @property
    def failed(self) -> bool:
        """Whether any fragment failed: such a response earns neither reward nor penalty and is scored again."""
        return any(fragment.failed for fragment in self.fragments)


@dataclasses.dataclass(frozen=True)
class Pair:
    """Chosen is preferred to rejected with this weight; both answer `prompt` and share the text before `cut`.

    Attributes:
        prompt, chosen, rejected: chat messages, as TRL's DPOTrainer takes them.
        weight: how much the preference counts, in (0, 1].
        style: the style that made it, or `keep` where going on is right, see `rlhalt.training_data`.
        threshold: τ.
        cut: character offset into the two assistant texts where the whole fragments that both begin with end.
        source: the key of the scored response it was made from; "" where people brought the row.
        margin: how much more the log-ratios of the sides have to differ, in nats: -log σ(β (m - margin)); see
            `rlhalt.training_data.preferences.f_dpo`.
        chosen_spans, rejected_spans: the parts of the two assistant texts that the loss counts, [start, end) in
            characters; empty for all of it, and the end of the turn. See `rlhalt.training_data.preferences.mask_dpo`.
    """

    required: ClassVar[tuple[str, ...]] = ("prompt", "chosen", "rejected")

    key: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    weight: float
    style: str
    threshold: float
    cut: int
    source: str
    margin: float = 0.0
    chosen_spans: list[list[int]] = dataclasses.field(default_factory=list)
    rejected_spans: list[list[int]] = dataclasses.field(default_factory=list)

    @property
    def plain(self) -> bool:
        """Whether DPO's own loss is meant: no margin, and all tokens count."""
        return not (self.margin or self.chosen_spans or self.rejected_spans)

    @property
    def same_sides(self) -> bool:
        """Whether both sides say the same, up to white space: chat templates drop it at the ends of a turn."""
        chosen, rejected = ([one["content"].split() for one in side] for side in (self.chosen, self.rejected))
        return chosen == rejected

    @classmethod
    def complete(cls, data: Json, seen: Counter[Any]) -> Json:
        """See `rlhalt.files.jsonl.Row`. Pairs that people bring all count the same, as with τ = ½."""
        _said(data, "prompt", "user")
        _said(data, "chosen", "assistant")
        _said(data, "rejected", "assistant")
        data.setdefault("key", content_key(data["prompt"], data["chosen"], data["rejected"]))
        return {"weight": 1.0, "style": "own", "threshold": 0.5, "cut": 0, "source": "", **data}

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        for name in ("prompt", "chosen", "rejected"):
            check_messages(getattr(self, name), name)
        if not 0 < self.weight <= 1:
            raise Wrong("weight", f"expected a number above 0 and up to 1, found {self.weight:g}")
        if not 0 < self.threshold < 1:
            raise Wrong("threshold", f"expected a number above 0 and below 1, found {self.threshold:g}")
        for name, side in (("chosen_spans", self.chosen), ("rejected_spans", self.rejected)):
            for one in getattr(self, name):
                if len(one) != 2 or not 0 <= one[0] < one[1] <= len(side[-1]["content"]):
                    raise Wrong(name, f"expected [start, end] within the text, found {one}")
        if not math.isfinite(self.margin):
            raise Wrong("margin", f"expected a finite number, found {self.margin}")
        if not 0 <= self.cut <= min(len(self.chosen[-1]["content"]), len(self.rejected[-1]["content"])):
            raise Wrong("cut", f"expected an offset into both texts, found {self.cut}")
        if self.same_sides:
            raise Wrong(
                "rejected",
                "expected two different answers, found the same text twice; remove the row, it prefers nothing",
            )


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether to speak a fragment, or what the answer says instead; see `rlhalt.training_data.decisions`.

    Attributes:
        before: what the answer has said so far.
        speak: the fragment, with the white space before it.
        otherwise: what may come in its place, also with the white space before it; "" where the answer ends.
        worth: what speaking is worth in τ-utility, above 0 where the fragment is right, below where it is wrong.
        style: what halting looks like, see `rlhalt.training_data`.
        threshold: τ.
        source: the key of the scored response it was made from.
    """

    key: str
    prompt: list[Message]
    before: str
    speak: str
    otherwise: list[str]
    worth: float
    style: str
    threshold: float
    source: str

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        check_messages(self.prompt, "prompt")
        if not 0 < self.threshold < 1:
            raise Wrong("threshold", f"expected a number above 0 and below 1, found {self.threshold:g}")
        if not self.otherwise or self.speak in self.otherwise:
            raise Wrong(
                "otherwise",
                "expected other ways than what is spoken, found none; remove the row, it decides nothing",
            )


@dataclasses.dataclass(frozen=True)
class Target:
    """A supervised example, as TRL's SFTTrainer takes it: loss on the completion only."""

    required: ClassVar[tuple[str, ...]] = ("prompt", "completion")

    key: str
    prompt: list[Message]
    completion: list[Message]
    style: str
    source: str

    @classmethod
    def complete(cls, data: Json, seen: Counter[Any]) -> Json:
        """See `rlhalt.files.jsonl.Row`."""
        _said(data, "prompt", "user")
        _said(data, "completion", "assistant")
        data.setdefault("key", content_key(data["prompt"], data["completion"]))
        return {"style": "own", "source": "", **data}

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        check_messages(self.prompt, "prompt")
        check_messages(self.completion, "completion")


@dataclasses.dataclass(frozen=True)
class Confidence:
    """How sure the policy was of each fragment of one response, read off the policy itself.

    Attributes:
        key: the key of the scored response.
        token_probability: one number a fragment, the geometric mean of its tokens' probabilities given the text before.
        halt_probability: one number a fragment, the probability of halting instead of beginning it: of ending the turn
            or of beginning the halting phrase.
        token_minimum: one number a fragment, the probability of its least likely token; null in older files.
    """

    nan: ClassVar[bool] = True

    key: str
    token_probability: _Numbers
    halt_probability: _Numbers
    token_minimum: _Numbers | None = None

    def __post_init__(self) -> None:
        _null_to_nan(self, "token_probability", "halt_probability", "token_minimum")
        if not self.token_minimum and self.token_probability:
            object.__setattr__(self, "token_minimum", None)

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        for name in ("token_probability", "halt_probability", "token_minimum"):
            for one in getattr(self, name) or ():
                if not 0 <= one <= 1 and not math.isnan(one):
                    raise Wrong(name, f"expected numbers from 0 to 1, found {one:g}")


@dataclasses.dataclass(frozen=True)
class Certainty:
    """How sure a policy is of each fragment of one response by a measure that has a file of its own.

    Attributes:
        key: the key of the scored response.
        certainty: one number in [0, 1] a fragment, NaN where there is none.
    """

    nan: ClassVar[bool] = True

    key: str
    certainty: _Numbers

    def __post_init__(self) -> None:
        _null_to_nan(self, "certainty")

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        _check_key(self)
        for one in self.certainty:
            if not 0 <= one <= 1 and not math.isnan(one):
                raise Wrong("certainty", f"expected numbers from 0 to 1, found {one:g}")


def _null_to_nan(row: object, *names: str) -> None:
    """JSON has no NaN: a file holds null in its place."""
    for name in names:
        values = getattr(row, name)
        if values and None in values:
            object.__setattr__(row, name, [math.nan if one is None else one for one in values])


@dataclasses.dataclass(frozen=True)
class Continuation:
    """What the base model would have said next where a policy ended its response.

    Attributes:
        key: the key of the scored response.
        text: the base model's next fragment, empty where it would have ended there too.
        label: its verdict, null where it failed or where there is nothing.
    """

    key: str
    text: str
    label: _MaybeLabel

    def __post_init__(self) -> None:
        if not self.label:
            object.__setattr__(self, "label", None)
