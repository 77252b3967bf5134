"""Reward specifications: `reward/<domain>/reward.yaml` → a scorer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from rlhalt.credit import check_threshold
from rlhalt.errors import InputError
from rlhalt.fragments.sentences import sentences
from rlhalt.fragments.steps import steps
from rlhalt.scoring import Scorer
from rlhalt.settings import read_fields
from rlhalt.tasks import countries
from rlhalt.verifiers import Verifier
from rlhalt.verifiers.knowledge import KnowledgeVerifier
from rlhalt.verifiers.maths import MathsVerifier

# In a checkout the specifications lie at the top level; an installed wheel carries them inside the package.
_FOLDERS = (Path(__file__).parents[2] / "reward", Path(__file__).parent / "specifications")


@dataclasses.dataclass(frozen=True)
class Specification:
    """One domain's reward, as its `reward.yaml` declares it.

    Attributes:
        domain: its name.
        fragmenter: how responses are split; `sentences` or `steps`.
        verifier: what judges the fragments; `knowledge` or `maths`.
        halting: `independent` (a doubtful fragment is left out, the answer goes on) or `causal` (everything after the
            first error rests on it: halt there).
        threshold: τ where none is given.
        max_failure_rate: share of failed fragments above which a run stops.
        promised_agreement, promised_decided: what the audit against human-checked fragments must reach.
        table: the knowledge that `knowledge` checks against; `countries`.
    """

    domain: str
    fragmenter: Literal["sentences", "steps"]
    verifier: Literal["knowledge", "maths"]
    halting: Literal["independent", "causal"]
    threshold: float
    max_failure_rate: float
    promised_agreement: float
    promised_decided: float
    table: Literal["countries"] | None = None

    def scorer(self) -> Scorer:
        """The scorer this specification declares."""
        fragment = {"sentences": sentences, "steps": steps}[self.fragmenter]
        verifier: Verifier = MathsVerifier() if self.verifier == "maths" else KnowledgeVerifier(countries.facts())
        return Scorer(fragment, verifier, self.max_failure_rate)


def load_specification(name: str | Path) -> Specification:
    """A specification by domain name (`countries`) or by folder.

    Raises:
        InputError: an unknown name (the known ones are listed), a missing, misspelt or wrong key.
    """
    folder = next((path for path in (Path(name), *(base / str(name) for base in _FOLDERS)) if _is_spec(path)), None)
    if folder is None:
        known = sorted({path.name for base in _FOLDERS if base.is_dir() for path in base.iterdir() if _is_spec(path)})
        raise InputError(
            f"expected a reward specification ({', '.join(known)}, or a folder with reward.yaml)", path=name
        )
    path = folder / "reward.yaml"
    data = read_fields(path, Specification)
    if data["verifier"] == "knowledge" and "table" not in data:
        raise InputError("expected the table that the knowledge verifier checks against", path=path, field="table")
    check_threshold(data["threshold"])
    return Specification(**data)


def _is_spec(folder: Path) -> bool:
    return (folder / "reward.yaml").is_file()
