"""An evaluation folder: what one model of one training seed answered on the held-out prompts.

run.json             name, role, τ, seed, model, halting: what `rlhalt evaluate` was asked for
scored.jsonl         the responses with their verdicts
confidence.jsonl     token and halt probabilities, one per fragment
continuation.jsonl   how base continues where this model halted
ccp.jsonl            what `rlhalt certainty` measured, and others of `BY`
general.json         what `rlhalt general` measured
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from rlhalt.errors import InputError
from rlhalt.evaluation.general import General, load_general
from rlhalt.evaluation.roles import ROLES, Role, role_named
from rlhalt.files.jsonl import read_object
from rlhalt.files.provenance import earlier, earlier_config
from rlhalt.files.strict_json import Wrong
from rlhalt.records import Certainty, Confidence, Continuation, Json, Label, Scored, read
from rlhalt.reference import n_asked
from rlhalt.rewards import Halting, counted

By = Literal["ccp", "semantic-entropy", "self-evaluation", "self-evaluation-choices", "stated", "just-ask", "reward"]
"""What `rlhalt certainty` measures."""
BY: tuple[By, ...] = get_args(By)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One evaluation folder: what one model of one training seed did on the held-out prompts.

    Attributes:
        role: what the model is in a comparison, see `rlhalt.evaluation.roles`.
        role_told: whether run.json says the role; False for folders of earlier versions, whose name is all there is.
        threshold: the τ it was trained at, None where training knows none.
        identity: what the model is, wherever it lies, see `rlhalt.models.names.identity`.
        started_from: the identities of the models that its training started from, the nearest first; of a model that
            was decoded otherwise (`rlhalt.decoding`) the model itself before them.
        decoded: whether it was decoded otherwise: it is no other model's start, the model as it is may be one.
        halting: what the domain's verdicts count for, see `rlhalt.rewards.counted`.
        fragmenter: what split the responses, None where their run does not tell.
        budget: what the model that judged them might spend, None where none was asked or their run does not tell.
        confidence, continuation: by the key of the scored response; continuation is empty where the file is missing.
        general: what it does outside of its domain; None where that was not measured.
        certainty: by each of `BY` that was measured, and by the key of the response, one number a fragment.
    """

    folder: Path
    name: str
    role: Role
    role_told: bool
    threshold: float | None
    seed: int
    model: str
    identity: str
    started_from: tuple[str, ...]
    decoded: bool
    few_shot: bool
    halting: Halting
    fragmenter: str | None
    budget: Json | None
    seconds: float
    scored: list[Scored]
    confidence: dict[str, Confidence]
    continuation: dict[str, Continuation]
    certainty: dict[str, dict[str, list[float]]]
    general: General | None

    @property
    def label(self) -> str:
        """What it is called: `base`, `SFT`, `DPO τ=0.5`."""
        return label(self.name, self.threshold)

    def rows(self, decoding: str) -> list[Scored]:
        """The `greedy` (temperature 0) or the `sampled` responses."""
        return [row for row in self.scored if (row.sampler["temperature"] == 0) == (decoding == "greedy")]

    @functools.cached_property
    def labels(self) -> dict[str, list[Label | None]]:
        """The verdicts as they count, one a fragment, by the key of the response; see `rlhalt.rewards.counted`."""
        return {row.key: counted(row.fragments, self.halting, n_asked(row.reference)) for row in self.scored}


def label(name: str, threshold: float | None) -> str:
    """What a model is called in tables: its name with the τ that it was trained at."""
    return name if threshold is None else f"{name} τ={threshold:g}"


def load(folder: str | Path) -> Evaluation:
    """Read an evaluation folder.

    Raises:
        InputError: naming file, row and field, where something is missing or malformed, or where a scored response has
            no confidence, or not one for each fragment.
    """
    folder = Path(folder)
    run = _run(folder / "run.json")
    path = folder / "scored.jsonl"
    scored = list(read(path, Scored))
    if not scored:
        raise InputError("expected scored responses, found none; evaluate this model again", path=path)
    confidence = {row.key: row for row in read(folder / "confidence.jsonl", Confidence)}
    for number, row in enumerate(scored, start=1):
        temperature = row.sampler.get("temperature")
        if isinstance(temperature, bool) or not isinstance(temperature, int | float) or temperature < 0:
            shown = "none" if temperature is None else repr(temperature)
            raise InputError(f"expected a temperature, found {shown}", path=path, row=number, field="sampler")
        given = confidence.get(row.key)
        if given is None:
            raise InputError(f"no confidence for response {row.key}", path=folder / "confidence.jsonl")
        if not len(given.token_probability) == len(given.halt_probability) == len(row.fragments):
            raise InputError(
                f"expected {len(row.fragments)} numbers for the fragments of {row.key}, found "
                f"{len(given.token_probability)} token and {len(given.halt_probability)} halt probabilities",
                path=folder / "confidence.jsonl",
            )
        if given.token_minimum is not None and len(given.token_minimum) != len(row.fragments):
            raise InputError(
                f"expected {len(row.fragments)} numbers for the fragments of {row.key}, found "
                f"{len(given.token_minimum)} least token probabilities",
                path=folder / "confidence.jsonl",
            )
    spoken = folder / "continuation.jsonl"
    return Evaluation(
        folder=folder,
        **run,
        fragmenter=earlier_config(path).get("fragmenter"),
        budget=earlier(path).get("budget"),
        scored=scored,
        confidence=confidence,
        continuation={row.key: row for row in read(spoken, Continuation)} if spoken.is_file() else {},
        certainty={by: found for by in BY if (found := _certainty(folder / f"{by}.jsonl", scored))},
        general=load_general(folder / "general.json"),
    )


def _certainty(path: Path, scored: Sequence[Scored]) -> dict[str, list[float]]:
    """What `rlhalt certainty` measured of these responses; empty where it was not asked to."""
    if not path.is_file():
        return {}
    found = {row.key: row.certainty for row in read(path, Certainty)}
    for row in scored:
        numbers = len(found.setdefault(row.key, []))
        if numbers != len(row.fragments):
            raise InputError(
                f"expected {len(row.fragments)} numbers for the fragments of {row.key}, found {numbers}; "
                "measure it again: rlhalt certainty",
                path=path,
            )
    return found


@dataclasses.dataclass(frozen=True)
class _Run:
    """What run.json of an evaluation folder says; the role and what follows it are missing in earlier versions."""

    name: str
    threshold: float | None
    seed: int
    model: str
    few_shot: bool
    halting: Halting
    seconds: float
    role: str | None = None
    started_from: tuple[str, ...] = ()
    config: Json = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        for field in ("name", "model"):
            if not getattr(self, field).strip():
                raise Wrong(field, "expected text, found none")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise Wrong("threshold", f"expected a number above 0 and below 1, or null, found {self.threshold:g}")
        if self.role is not None and self.role not in ROLES:
            raise Wrong("role", f"expected one of {', '.join(ROLES)}, found {self.role!r}")
        if self.seconds < 0:
            raise Wrong("seconds", f"expected a number of at least 0, found {self.seconds:g}")


def _run(path: Path) -> dict[str, Any]:
    found = read_object(path, _Run, "an evaluation folder with a run.json")
    kept = ("name", "threshold", "seed", "model", "few_shot", "halting", "seconds", "started_from")
    return {field: getattr(found, field) for field in kept} | {
        "role": found.role or role_named(found.name),
        "role_told": found.role is not None,
        "identity": str(found.config.get("model", found.model)),
        "decoded": "decoding" in found.config,
    }
