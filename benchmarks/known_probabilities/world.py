"""The world: entities, facts told in conflicting versions, and what a verifier knows of them.

Every entity is of a kind, and has one value for each of five relations. The corpus tells a fact truly with share q and
in three false versions otherwise, so that a model trained on it says the truth about as often as it was told. The share
of a fact depends on its kind and its relation, which a model can see, and on the fact alone, which it cannot: `visible`
says how much of each.

    Describe the miner Balo.
    Its home is tavi. Its craft is mosu. Its song is relo. Its stone is keva. Its river is dani.

Half of the entities of each kind train policies, the others measure them. The corpus tells of both, so the model has
probabilities for all of them.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhalt.chat.threshold_prompt import with_threshold
from rlhalt.errors import InputError
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Fragment, Json, Message, Prompt, content_key
from rlhalt.scoring import Scorer
from rlhalt.verifiers import Verdict

Floats = npt.NDArray[np.float64]

KINDS = [
    *("miner", "weaver", "sailor", "farmer", "hunter", "smith"),
    *("potter", "baker", "singer", "healer", "carter", "tanner"),
]
RELATIONS = ("home", "craft", "song", "stone", "river")
# The logit of q is MEAN_LOGIT + SPREAD · score; a kind's part of the score and a relation's part are added.
MEAN_LOGIT, SPREAD, KIND_WEIGHT = 1.0, 3.0, 0.85
VERSIONS = 4
DOMAIN = "known-probabilities"
_STATEMENT = re.compile(r"Its (\w+) is (\w+)\.")


@dataclasses.dataclass(frozen=True)
class World:
    """What the world is like; equal settings give equal worlds.

    Attributes:
        seed: of names, values, truths and versions.
        entities: how many of each kind, an even number.
        values: how many values a relation has.
        visible: share of the variance of a fact's probability (as a normal score) that its kind and relation decide.
        exposure: how many documents tell of an entity.
        gaps: share of facts that a document leaves out.
        halts: share of documents that break off somewhere with "Unsure from here.".
        thresholds: share of documents under a system message, "Reliability: 0.37", whose figure means nothing yet:
            chat models have seen system messages, and what they know is not lost under one.
    """

    seed: int = 0
    entities: int = 24
    values: int = 10
    visible: float = 1.0
    exposure: int = 100
    gaps: float = 0.03
    halts: float = 0.05
    thresholds: float = 0.5

    @functools.cached_property
    def names(self) -> list[str]:
        """E names; entity e is of kind `e % 12`."""
        return [word.capitalize() for word in self._words[: len(KINDS) * self.entities]]

    @functools.cached_property
    def vocabulary_R_V(self) -> list[list[str]]:
        """The values of each relation."""
        words = iter(self._words[len(KINDS) * self.entities :])
        return [list(itertools.islice(words, self.values)) for _ in RELATIONS]

    @functools.cached_property
    def _words(self) -> list[str]:
        syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
        words = [a + b for a in syllables for b in syllables]
        count = len(KINDS) * self.entities + len(RELATIONS) * self.values
        return [words[index] for index in np.random.default_rng(self.seed).permutation(len(words))[:count]]

    @functools.cached_property
    def shares_E_R_V(self) -> Floats:
        """How often the corpus gives entity e the value v for relation r; the truth comes with the share q."""
        rng = np.random.default_rng([self.seed, 1])
        total = len(self.names)
        shares = np.zeros((total, len(RELATIONS), self.values))
        for entity, relation in itertools.product(range(total), range(len(RELATIONS))):
            truth = self.truth_E_R[entity, relation]
            others = rng.permutation(np.delete(np.arange(self.values), truth))[: VERSIONS - 1]
            q = self.q_E_R[entity, relation]
            shares[entity, relation, truth] = q
            shares[entity, relation, others] = (1 - q) * rng.dirichlet(np.ones(VERSIONS - 1))
        return shares

    @functools.cached_property
    def truth_E_R(self) -> npt.NDArray[np.int64]:
        """Which value is true."""
        return np.random.default_rng([self.seed, 2]).integers(self.values, size=(len(self.names), len(RELATIONS)))

    @functools.cached_property
    def q_E_R(self) -> Floats:
        """The share of the corpus that tells the truth, from 0.05 to 0.99."""
        from scipy.special import expit
        from scipy.stats import norm

        rng = np.random.default_rng([self.seed, 3])
        kind_K = norm.ppf((rng.permutation(len(KINDS)) + 0.5) / len(KINDS))
        relation_R = norm.ppf((rng.permutation(len(RELATIONS)) + 0.5) / len(RELATIONS))
        seen_E_R = KIND_WEIGHT * kind_K[self.kind_E, None] + np.sqrt(1 - KIND_WEIGHT**2) * relation_R
        score_E_R = np.sqrt(self.visible) * seen_E_R + np.sqrt(1 - self.visible) * rng.standard_normal(seen_E_R.shape)
        return np.clip(expit(MEAN_LOGIT + SPREAD * score_E_R), 0.05, 0.99)

    @functools.cached_property
    def kind_E(self) -> npt.NDArray[np.int64]:
        """The kind of each entity, an index into `KINDS`."""
        return np.arange(len(KINDS) * self.entities) % len(KINDS)

    @functools.cached_property
    def heldout_E(self) -> npt.NDArray[np.bool_]:
        """Which entities no policy is trained on."""
        return np.arange(len(KINDS) * self.entities) // len(KINDS) % 2 == 1

    def question(self, entity: int) -> str:
        """What is asked about an entity."""
        return f"Describe the {KINDS[self.kind_E[entity]]} {self.names[entity]}."

    def statement(self, relation: int, value: int) -> str:
        """One sentence."""
        return f"Its {RELATIONS[relation]} is {self.vocabulary_R_V[relation][value]}."

    def prompts(self, heldout: bool, system: str | None = None) -> list[Prompt]:
        """The questions about the held-out or the other entities, as rlhalt's prompts."""
        split = "heldout" if heldout else "train"
        first: list[Message] = [{"role": "system", "content": system}] if system else []
        rows = []
        for entity in np.flatnonzero(self.heldout_E == heldout):
            messages = [*first, {"role": "user", "content": self.question(entity)}]
            told = [self.statement(relation, self.truth_E_R[entity, relation]) for relation in range(len(RELATIONS))]
            reference = {"subject": self.names[entity], "answer": " ".join(told)}
            rows.append(Prompt(content_key(messages), messages, reference, DOMAIN, split))
        return rows

    def corpus(self) -> list[list[Message]]:
        """Questions with answers, `exposure` an entity, in random order: versions come as often as their share says."""
        rng = np.random.default_rng([self.seed, 4])
        documents = []
        for entity in range(len(self.names)):
            told_R_X = [self._versions(rng, entity, relation) for relation in range(len(RELATIONS))]
            for copy in range(self.exposure):
                said = [
                    self.statement(relation, told[copy])
                    for relation, told in enumerate(told_R_X)
                    if rng.random() >= self.gaps
                ]
                if rng.random() < self.halts or not said:
                    said[rng.integers(len(said) + 1) :] = [HALT_PHRASE]
                chat: list[Message] = [
                    {"role": "user", "content": self.question(entity)},
                    {"role": "assistant", "content": " ".join(said)},
                ]
                documents.append(
                    with_threshold(chat, rng.integers(1, 100) / 100) if rng.random() < self.thresholds else chat
                )
        return [documents[index] for index in rng.permutation(len(documents))]

    def _versions(self, rng: np.random.Generator, entity: int, relation: int) -> npt.NDArray[np.int64]:
        # Whole documents: the parts of a document that the shares leave over go to versions at random, fairly.
        ticks = (rng.random() + np.arange(self.exposure)) / self.exposure
        values = np.searchsorted(np.cumsum(self.shares_E_R_V[entity, relation]), ticks, side="right")
        return rng.permutation(values.clip(max=self.values - 1))

    def scorer(self) -> Scorer:
        """Sentences, judged by the truth of this world."""
        return Scorer(sentences, Truth(self))


class Truth:
    """Knows every fact of a world; implements `rlhalt.verifiers.Verifier`."""

    name = "known-probabilities/2"

    def __init__(self, world: World) -> None:
        self._facts = {
            name: {
                relation: world.vocabulary_R_V[r][world.truth_E_R[entity, r]] for r, relation in enumerate(RELATIONS)
            }
            for entity, name in enumerate(world.names)
        }

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment; what is said again or out of order, or is no statement, is unverifiable.

        A fact may be left out: the facts after it count. If order were free, a policy that is trained online in a
        causal domain would begin with the fact that it is surest of, and earn more than the oracle, whose order is
        fixed.

        Raises:
            InputError: the reference names no entity of this world.
        """
        facts = self._facts.get(reference.get("subject", ""))
        if facts is None:
            raise InputError(f"expected an entity of this world, found {reference}", field="reference")
        verdicts: list[Verdict] = []
        # The relations that are still to come.
        ahead = list(facts)
        for fragment in fragments:
            statement: Any = _STATEMENT.fullmatch(fragment.text)
            if fragment.kind == "halt":
                verdicts.append(Verdict("halt", "the halting phrase"))
            elif not statement or statement[1] not in ahead:
                verdicts.append(Verdict("unverifiable", "no statement, or none that is still to come"))
            else:
                relation, value = statement[1], statement[2]
                ahead = ahead[ahead.index(relation) + 1 :]
                right = facts[relation] == value
                verdicts.append(Verdict("correct" if right else "incorrect", f"{relation}: {facts[relation]}"))
        return verdicts
