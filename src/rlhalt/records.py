"""The typed rows that every stage reads and writes, and the file store that holds them.

    prompts ─ sample ─► responses ─ score ─► scored ─ pairs ─► pairs

A row is a frozen record, its file is JSON lines that `datasets.load_dataset("json", ...)` reads as it is. Every row
has a key made from its content. A stage that is run again does only the missing and the failed rows: while it runs,
finished rows are appended to `NAME.part` (`rlhalt.journal`); at its end the output is replaced whole and the part goes.
A process killed at any point loses at most the row it was writing. Beside each output lies its `run.json`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

from rlhalt.errors import InputError

Label = Literal["correct", "incorrect", "unverifiable", "halt"]
LABELS: tuple[str, ...] = get_args(Label)
Message = dict[str, str]
Json = dict[str, Any]

HALT_PHRASE = "Unsure from here."


def content_key(*parts: object) -> str:
    """A key of 16 hex digits from JSON-serialisable parts; equal content gives equal keys on every machine."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, first 16 hex digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A question with its reference.

    Attributes:
        prompt: chat messages, without few-shot examples.
        reference: what the domain's verifier needs, for countries `{"subject": "France"}`.
        domain: the name of the folder under `reward/` that judges the response.
        split: `train` or `heldout`.
    """

    key: str
    prompt: list[Message]
    reference: Json
    domain: str
    split: str


@dataclasses.dataclass(frozen=True)
class Response:
    """What a policy wrote to a prompt.

    Attributes:
        prompt_key: the key of the prompt.
        index: which of the k responses to this prompt, from 0.
        finish_reason: `stop` or `length` (cut off at the token limit).
        sampler: everything that decided the text: model, engine, temperature, seed, few-shot count, token limit.
        n_tokens: tokens generated, the end-of-turn token not counted.
    """

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
    label: Label | None = None
    probability: float | None = None
    verifier: str | None = None
    evidence: str | None = None
    error: str | None = None
    claim: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the verifier broke on this fragment. Failed is not wrong."""
        return self.label is None and self.error is not None


@dataclasses.dataclass(frozen=True)
class Scored(Response):
    """A response with its fragments, in the order of the text."""

    fragments: list[Fragment]

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
        style: the style that made it, or `keep` where going on is right, see `rlhalt.pairs`.
        threshold: τ.
        cut: character offset into the two assistant texts where the whole fragments that both begin with end.
        source: the key of the scored response it was made from.
    """

    key: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    weight: float
    style: str
    threshold: float
    cut: int
    source: str

    @property
    def same_sides(self) -> bool:
        """Whether both sides say the same, up to white space: chat templates drop it at the ends of a turn."""
        chosen, rejected = ([one["content"].split() for one in side] for side in (self.chosen, self.rejected))
        return chosen == rejected


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether to speak a fragment, or what the answer says instead; see `rlhalt.pairs.decide`.

    Attributes:
        before: what the answer has said so far.
        speak: the fragment, with the white space before it.
        otherwise: what may come in its place, also with the white space before it; "" where the answer ends.
        worth: what speaking is worth in τ-utility, above 0 where the fragment is right, below where it is wrong.
        style: what halting looks like, see `rlhalt.pairs`.
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


@dataclasses.dataclass(frozen=True)
class Target:
    """A supervised example, as TRL's SFTTrainer takes it: loss on the completion only."""

    key: str
    prompt: list[Message]
    completion: list[Message]
    style: str
    source: str


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

    key: str
    token_probability: list[float]
    halt_probability: list[float]
    token_minimum: list[float] | None = None


@dataclasses.dataclass(frozen=True)
class Certainty:
    """How sure a policy is of each fragment of one response by a measure that has a file of its own.

    Attributes:
        key: the key of the scored response.
        certainty: one number in [0, 1] a fragment, NaN where there is none.
    """

    key: str
    certainty: list[float]


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
    label: Label | None


class Row(Protocol):
    """Any record with a key."""

    @property
    def key(self) -> str:
        """Made from its content, see `content_key`."""
        ...


R = TypeVar("R", bound=Row)


def _check(value: object, annotation: str, path: Path, row: int, field: str) -> None:
    expected: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "Json": (dict,),
        "list[Message]": (list,),
        "list[Fragment]": (list,),
        "list[float]": (list,),
        "list[str]": (list,),
    }
    if annotation.endswith(" | None"):
        if value is None:
            return
        annotation = annotation.removesuffix(" | None")
    names = {"str": "text", "int": "a whole number", "float": "a number", "Json": "an object"}
    if annotation in expected and (not isinstance(value, expected[annotation]) or isinstance(value, bool)):
        wanted = names.get(annotation, "a list")
        raise InputError(f"expected {wanted}, found {_short(value)}", path=path, row=row, field=field)
    if annotation == "list[Message]":
        assert isinstance(value, list)
        if not value:
            raise InputError("expected at least one chat message, found none", path=path, row=row, field=field)
        for message in value:
            if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
                raise InputError(
                    f"expected messages with role and content, found {_short(message)}",
                    path=path,
                    row=row,
                    field=field,
                )
            if not isinstance(message["content"], str) or not message["content"].strip():
                raise InputError("expected a message with text, found an empty one", path=path, row=row, field=field)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def from_json(kind: type[R], data: Mapping[str, Any], path: Path, row: int) -> R:
    """Build a record from a parsed line, checking every field.

    Raises:
        InputError: naming file, row and field, where one is missing or of another type. Unknown fields are dropped:
            files may carry more than we read. Fields with a default may be missing: older files have less.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name not in data:
            if field.default is not dataclasses.MISSING:
                continue
            raise InputError("expected this field, found none", path=path, row=row, field=field.name)
        value = data[field.name]
        _check(value, str(field.type), path, row, field.name)
        values[field.name] = value
    if "fragments" in values:
        values["fragments"] = [_fragment(one, values["response"], path, row) for one in values["fragments"]]
    made = kind(**values)
    _check_choice(made, path, row)
    return made


def _check_choice(made: object, path: Path, row: int) -> None:
    """See that a pair or a decision has something to choose between.

    Raises:
        InputError: the two sides of a pair say the same; a decision has no way beside speaking, or that way twice.
    """
    if isinstance(made, Pair) and made.same_sides:
        raise InputError(
            "expected two different answers, found the same text as chosen and rejected; remove the row, it prefers "
            "nothing",
            path=path,
            row=row,
            field="rejected",
        )
    if isinstance(made, Decision) and (not made.otherwise or made.speak in made.otherwise):
        raise InputError(
            "expected other ways than what is spoken, found none or the same text; remove the row, it decides nothing",
            path=path,
            row=row,
            field="otherwise",
        )


def _fragment(data: object, response: str, path: Path, row: int) -> Fragment:
    if not isinstance(data, dict):
        raise InputError(f"expected objects, found {_short(data)}", path=path, row=row, field="fragments")
    names = [field.name for field in dataclasses.fields(Fragment)]
    missing = [name for name in ("start", "end", "kind", "text") if name not in data]
    if missing:
        raise InputError(f"a fragment has no '{missing[0]}'", path=path, row=row, field="fragments")
    fragment = Fragment(**{name: data[name] for name in names if name in data})
    if fragment.label is not None and fragment.label not in LABELS:
        raise InputError(
            f"expected a label of {', '.join(LABELS)} or null, found {_short(fragment.label)}",
            path=path,
            row=row,
            field="fragments",
        )
    if response[fragment.start : fragment.end] != fragment.text:
        raise InputError(
            f"a fragment's offsets do not point at its text {_short(fragment.text)}",
            path=path,
            row=row,
            field="fragments",
        )
    return fragment


def parse_line(line: bytes, path: Path, row: int) -> Json | None:
    """One line of a JSONL file; None for a blank one.

    Raises:
        InputError: not UTF-8, or not a JSON object.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected UTF-8, found byte 0x{line[error.start]:02x}; convert the file to UTF-8", path=path, row=row
        ) from None
    if not text.strip():
        return None
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"expected JSON, found {error.msg} at column {error.colno}", path=path, row=row) from None
    if not isinstance(data, dict):
        raise InputError(f"expected a JSON object, found {_short(data)}", path=path, row=row)
    return data


def iter_json(path: Path) -> Iterator[tuple[int, Json]]:
    """Parsed lines of a JSONL file with their 1-based row numbers; blank lines are passed over.

    Raises:
        InputError: the file is missing, or see `parse_line`.
    """
    if not path.is_file():
        raise InputError("expected a JSON lines file, found no such file", path=path)
    with path.open("rb") as file:
        for row, line in enumerate(file, start=1):
            data = parse_line(line, path, row)
            if data is not None:
                yield row, data


def read(path: str | Path, kind: type[R]) -> Iterator[R]:
    """The records of a JSONL file, one by one.

    Raises:
        InputError: naming file, row and field, for a missing or malformed file or row.
    """
    path = Path(path)
    for row, data in iter_json(path):
        yield from_json(kind, data, path, row)


@dataclasses.dataclass(frozen=True)
class Rows(Generic[R]):
    """The records of a JSONL file, to be gone through any number of times without holding them.

    Attributes:
        path: the file.
        kind: the record it holds.
    """

    path: Path
    kind: type[R]

    def __iter__(self) -> Iterator[R]:
        return read(self.path, self.kind)


def dumps(record: object) -> str:
    """One JSON line of a record, without its newline."""
    return json.dumps(_fields(record), default=_fields, ensure_ascii=False)


def _fields(record: Any) -> Json:
    # `dataclasses.asdict` copies all that is inside, which takes as long as writing it.
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def write_atomic(path: str | Path, chunks: Iterable[str]) -> None:
    """Write text to a file that appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write(path: str | Path, rows: Iterable[object]) -> None:
    """Write records to a JSONL file that appears whole or not at all."""
    write_atomic(path, (dumps(row) + "\n" for row in rows))
