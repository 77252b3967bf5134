"""FActScore's biographies (Min et al., arXiv 2305.14251), as scored responses: people judged them, fact by fact.

One file holds one model's answers to "Question: Tell me a bio of Marie Curie.". People split each sentence into atomic
facts and labelled them by the person's article: S (supported) is *correct*, NS (not supported) *incorrect*, IR
(irrelevant, or only true if the fact before it is) *unverifiable*. A sentence that is not about the person has no facts
and is *unverifiable* too.

Where a response says that it knows nothing of the person there are no annotations: it halts, from its first to its last
character. It has nothing that is right or wrong, so it makes no pair; as a supervised target it becomes "Unsure from
here.". One response of the data is empty: it has no fragments, and its target is the same.

Reading files into rows is this room's work; turning labels into fragments is `rlhalt.verifiers.annotation`'s.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rlhalt.domains.biography import prompt
from rlhalt.domains.files import field, text_field
from rlhalt.errors import InputError
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run
from rlhalt.files.text import check_name
from rlhalt.fragments.halting_phrase import named
from rlhalt.records import HALT_PHRASE, Json, Label, Scored, content_key, iter_json, write
from rlhalt.verifiers.annotation import NAME, Fact, Granularity, Passage, abstention, annotate

_LABELS: dict[str, Label] = {"S": "correct", "NS": "incorrect", "IR": "unverifiable"}


@dataclasses.dataclass(frozen=True)
class Unplaced:
    """A labelled passage that is not in its response.

    Attributes:
        path, row: the file and its 1-based line.
        text: the passage.
    """

    path: str
    row: int
    text: str


@dataclasses.dataclass(frozen=True)
class Biographies:
    """What the files hold.

    Attributes:
        rows: one a response, all of them.
        unplaced: labels that are in no row, because their passage is not in its response.
    """

    rows: list[Scored]
    unplaced: list[Unplaced]


def read(
    paths: Iterable[str | Path],
    granularity: Granularity,
    references: Mapping[str, Json] | None = None,
    phrase: str = HALT_PHRASE,
) -> Biographies:
    """The labelled responses of files, each of one model, which its file is named after.

    `index` tells the answers to one prompt apart: the number of the file. `n_tokens` is 0: the data do not tell.

    Args:
        references: by the keys of prompts, what a judge needs beside the labels; the articles are not in the data.
            `{"subject": topic}` where there is none.
        phrase: what the domain halts with.

    Raises:
        InputError: no such file, or a malformed row, naming it and its field.
    """
    rows: list[Scored] = []
    unplaced: list[Unplaced] = []
    seen: set[str] = set()
    for index, path in enumerate(map(Path, paths)):
        if path.stem in seen:
            raise InputError("expected one file a model, by its name, found two of this name", path=path)
        seen.add(path.stem)
        for number, data in iter_json(path):
            row, missing = _scored(data, index, granularity, path, number, phrase)
            reference = (references or {}).get(row.prompt_key, row.reference)
            rows.append(dataclasses.replace(row, reference=reference))
            unplaced += [Unplaced(str(path), number, one.text) for one in missing]
    return Biographies(rows, unplaced)


def write_scored(
    paths: Sequence[str | Path],
    output: str | Path,
    granularity: Granularity,
    split: Literal["train", "heldout", "all"] = "all",
    phrase: str = HALT_PHRASE,
) -> Biographies:
    """The labelled responses of files, into a file of scored rows; its run.json counts what was placed and what not.

    Args:
        split: of the people; pairs and targets are made of training prompts alone.
        phrase: what the domain halts with.

    Raises:
        InputError: no rows; see `read`.
    """
    check_name(output)
    found = read(paths, granularity, phrase=phrase)
    if not found.rows:
        raise InputError("expected at least one response, found none", path=" ".join(map(str, paths)))
    found = dataclasses.replace(found, rows=[one for one in found.rows if split in (one.split, "all")])
    config = {"granularity": granularity, "verifier": NAME, "split": split, **named(phrase)}
    with locked(output), Run("annotation", output, inputs=paths, config=config) as run:
        write(output, found.rows)
        labels = Counter(one.label for row in found.rows for one in row.fragments)
        unplaced = [dataclasses.asdict(one) | {"path": Path(one.path).name} for one in found.unplaced]
        run.result(rows=len(found.rows), fragments=dict(labels), unplaced=unplaced)
    return found


def _scored(
    data: Json, index: int, granularity: Granularity, path: Path, row: int, phrase: str
) -> tuple[Scored, tuple[Passage, ...]]:
    topic = text_field(data, "topic", path, row)
    response = field(data, "output", path, row)
    if not isinstance(response, str):
        raise InputError("expected text", path=path, row=row, field="output")
    annotations = field(data, "annotations", path, row)
    unplaced: tuple[Passage, ...] = ()
    if annotations is None:
        fragments = abstention(response)
    else:
        annotated = annotate(response, _passages(annotations, path, row), granularity, phrase)
        fragments, unplaced = annotated.fragments, annotated.unplaced
    asked = prompt(topic, {})
    sampler = {"model": path.stem, "source": "FActScore"}
    scored = Scored(
        key=content_key(asked.key, response, sampler, index),
        prompt_key=asked.key,
        index=index,
        prompt=asked.prompt,
        response=response,
        reference=asked.reference,
        domain=asked.domain,
        split=asked.split,
        finish_reason="stop",
        sampler=sampler,
        n_tokens=0,
        fragments=fragments,
    )
    return scored, unplaced


def _passages(annotations: Any, path: Path, row: int) -> list[Passage]:
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise InputError("expected a list of sentences, or null", path=path, row=row, field="annotations")
    return [
        Passage(text_field(one, "text", path, row), _facts(field(one, "human-atomic-facts", path, row), path, row))
        for one in annotations
    ]


def _facts(facts: Any, path: Path, row: int) -> tuple[Fact, ...]:
    if facts is None:
        return ()
    if not isinstance(facts, list) or not all(isinstance(one, dict) for one in facts):
        raise InputError("expected a list of facts, or null", path=path, row=row, field="human-atomic-facts")
    for one in facts:
        label = field(one, "label", path, row)
        if not isinstance(label, str) or label not in _LABELS:
            raise InputError(f"expected {', '.join(_LABELS)}, found {label!r}", path=path, row=row, field="label")
    return tuple(Fact(text_field(one, "text", path, row), _LABELS[one["label"]]) for one in facts)
