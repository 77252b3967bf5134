"""How likely a policy is to be right and to speak, read off its token probabilities, and what that is worth.

A policy stands before a fact with the facts it has said behind it. At each such point its next token probabilities say
how likely it is to say this fact next, to go on to a later one, or to end; and, once it has begun the sentence, how
likely the true value is. There are 2⁵ sets of facts behind it, few enough to visit all of them:

    point (s, r): the facts in s have been said, r comes after all of them
    next[s, r]    P("Its <relation> is" | s)
    right[s, r]   P(true value | s, "Its <relation> is")
    visit[s]      P(the policy comes to s): visit[s ∪ r] = visit[s] · next[s, r], in a causal domain also · right[s, r]
    utility       Σ visit[s] · next[s, r] · (right[s, r] - τ)

In a causal domain only answers without an error so far count, so the values behind are the true ones and all this is
exact. In an independent domain they are drawn from the policy, one draw a point: the only noise, and a small one.

Shapes: E entities, R relations, P points (s, r).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from benchmarks.known_probabilities import oracle
from benchmarks.known_probabilities.world import RELATIONS, World

Floats = npt.NDArray[np.float64]
Mode = Literal["independent", "causal"]

R = len(RELATIONS)
# All points (s, r), s as a bit mask; a point comes after the one that leads to it.
POINTS = [(s, r) for s in range(2**R) for r in range(R) if s < 2**r]
_INDEX = {point: index for index, point in enumerate(POINTS)}
# The points at which each fact is decided: all that come to it.
ALL_POINTS = [[_INDEX[s, r] for s in range(2**r)] for r in range(R)]
# Those at which it is next in order, the fact before it having been said: whoever ends the answer has decided once.
NEXT_POINTS = [[_INDEX[s, r] for s in range(2 ** max(r - 1, 0), 2**r)] if r else [_INDEX[0, 0]] for r in range(R)]
BATCH = 1024


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """What a policy does at every point.

    Attributes:
        next_E_P, right_E_P: see the module.
        end_E_P: P(ending the answer at s, by the phrase or without it).
        causal: whether only answers without an error are followed.
    """

    next_E_P: Floats
    right_E_P: Floats
    end_E_P: Floats
    causal: bool

    @property
    def visit_E_P(self) -> Floats:
        """P(the policy comes to s), for each point (s, r)."""
        visits = {0: np.ones(len(self.next_E_P))}
        for s, r in POINTS:
            point = _INDEX[s, r]
            led = visits[s] * self.next_E_P[:, point]
            visits[s | 1 << r] = led * self.right_E_P[:, point] if self.causal else led
        return np.stack([visits[s] for s, _ in POINTS], axis=1)

    @property
    def reach_E_P(self) -> Floats:
        """P(the policy comes to s and has not passed over r when it decides)."""
        return self.visit_E_P * self._open_E_P

    @property
    def _open_E_P(self) -> Floats:
        later = [[_INDEX[s, other] for other in range(r, R)] for s, r in POINTS]
        return np.stack([self.next_E_P[:, one].sum(axis=1) for one in later], axis=1) + self.end_E_P

    def _of_facts(self, value_E_P: Floats, points_R: Sequence[Sequence[int]]) -> Floats:
        """Means over the points at which each fact is decided, as likely as the policy comes to them, (E, R)."""
        weights = [self.reach_E_P[:, one] for one in points_R]
        return np.stack(
            [
                (w * value_E_P[:, one]).sum(1) / np.maximum(w.sum(1), 1e-30)
                for w, one in zip(weights, points_R, strict=True)
            ],
            axis=1,
        )

    @property
    def speak_E_R(self) -> Floats:
        """P(saying a fact, where it is decided); whoever ends the answer leaves out every fact to come."""
        return self._of_facts(self.next_E_P / np.maximum(self._open_E_P, 1e-30), ALL_POINTS)

    @property
    def going_on_E_R(self) -> Floats:
        """P(saying a fact or a later one), at the points of `NEXT_POINTS`."""
        return self._of_facts(1 - self.end_E_P / np.maximum(self._open_E_P, 1e-30), NEXT_POINTS)

    @property
    def p_E_R(self) -> Floats:
        """P(right about a fact), the policy's own."""
        return self._of_facts(self.right_E_P, ALL_POINTS)

    @property
    def reach_E_R(self) -> Floats:
        """P(a fact is decided)."""
        return self._reach(ALL_POINTS)

    @property
    def reach_next_E_R(self) -> Floats:
        """P(the policy decides whether to go on at a fact)."""
        return self._reach(NEXT_POINTS)

    def _reach(self, points_R: Sequence[Sequence[int]]) -> Floats:
        return np.stack([self.reach_E_P[:, one].sum(1) for one in points_R], axis=1)

    def utility(self, threshold: float) -> float:
        """Mean τ-utility an entity."""
        return float((self.visit_E_P * self.next_E_P * (self.right_E_P - threshold)).sum(axis=1).mean())

    def said(self) -> tuple[float, float]:
        """Facts said and facts right, an entity (in a causal domain: up to the first error)."""
        said_E_P = self.visit_E_P * self.next_E_P
        return float(said_E_P.sum(1).mean()), float((said_E_P * self.right_E_P).sum(1).mean())

    @property
    def astray(self) -> float:
        """Probability that is neither on a fact in order nor on an end: what this module does not follow."""
        return float((self.visit_E_P * (1 - self._all_E_P - self.end_E_P))[:, _firsts()].sum(axis=1).mean())

    @property
    def _all_E_P(self) -> Floats:
        all_of = {s: [_INDEX[s, r] for r in range(R) if s < 2**r] for s, _ in POINTS}
        return np.stack([self.next_E_P[:, all_of[s]].sum(axis=1) for s, _ in POINTS], axis=1)


def _firsts() -> list[int]:
    firsts: dict[int, int] = {}
    for index, (s, _) in enumerate(POINTS):
        firsts.setdefault(s, index)
    return list(firsts.values())


def load(folder: str | Path) -> tuple[Any, Any]:
    """A policy in float32, and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def behaviour(
    policy: tuple[Any, Any],
    world: World,
    entities: Sequence[int] | npt.NDArray[np.int64],
    mode: Mode,
    seed: int = 0,
    system: str | None = None,
    temperature: float = 1.0,
) -> Behaviour:
    """Visit every point of some entities.

    Args:
        system: what the policy is told before the question.
        temperature: at which the policy is sampled.
    """
    import torch

    model, made = policy
    rng = np.random.default_rng([seed, 7])
    entities = np.asarray(entities)
    first = [{"role": "system", "content": system}] if system else []
    questions = [[*first, {"role": "user", "content": world.question(entity)}] for entity in entities]
    prompt_E_T = np.array(
        [made.apply_chat_template(one, add_generation_prompt=True, return_dict=False) for one in questions]
    )

    def word(text: str) -> int:
        index: int = made.convert_tokens_to_ids(text)
        return index

    relations = [word(f" {one}") for one in RELATIONS]
    values_R_V = np.array([[word(f" {one}") for one in values] for values in world.vocabulary_R_V])
    full_stop, means = word("."), word(" is")
    shape = (len(entities), len(POINTS))
    next_E_P, right_E_P, end_E_P = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    behind = {0: prompt_E_T}
    sizes = [s.bit_count() for s, _ in POINTS]
    for size in range(R):
        points = [index for index, count in enumerate(sizes) if count == size]
        its, unsure = (word("Its"), word("Unsure")) if size == 0 else (word(" Its"), word(" Unsure"))
        ids = np.stack(
            [
                np.concatenate(
                    [behind[POINTS[one][0]], np.tile([its, relations[POINTS[one][1]], means], (len(entities), 1))], 1
                )
                for one in points
            ]
        )
        flat = ids.reshape(-1, ids.shape[-1])
        found = []
        with torch.no_grad():
            for start in range(0, len(flat), BATCH):
                batch = torch.tensor(flat[start : start + BATCH])
                logits = model(input_ids=batch, logits_to_keep=4).logits
                found.append((logits.double() / temperature).softmax(-1).numpy())
        chance = np.concatenate(found).reshape(*ids.shape[:2], 4, -1)
        for row, one in enumerate(points):
            s, r = POINTS[one]
            here = chance[row]
            next_E_P[:, one] = here[:, 0, its] * here[:, 1, relations[r]] * here[:, 2, means]
            end_E_P[:, one] = here[:, 0, unsure] + here[:, 0, made.eos_token_id]
            of_values = here[:, 3, values_R_V[r]]
            truth = world.truth_E_R[entities, r]
            right_E_P[:, one] = of_values[np.arange(len(entities)), truth]
            if mode == "independent":
                cumulated = of_values.cumsum(axis=1)
                drawn = (rng.random((len(entities), 1)) * cumulated[:, -1:] > cumulated).sum(axis=1)
            else:
                drawn = truth
            tail = np.stack([values_R_V[r][drawn], np.full(len(entities), full_stop)], axis=1)
            behind[s | 1 << r] = np.concatenate([ids[row], tail], axis=1)
    return Behaviour(next_E_P, right_E_P, end_E_P, mode == "causal")


def probabilities(
    policy: tuple[Any, Any],
    world: World,
    entities: Sequence[int] | npt.NDArray[np.int64],
    temperature: float = 1.0,
) -> Floats:
    """P(true value) of each fact, (E, R): read off after all facts before it, truly said."""
    base = behaviour(policy, world, entities, "causal", temperature=temperature)
    return base.right_E_P[:, [_INDEX[2**r - 1, r] for r in range(R)]]


def logistic_switch(p_N: Floats, speak_N: Floats, weight_N: Floats | None = None) -> tuple[float, float]:
    """Where P(speak) crosses ½ over p, and how steeply, by a logistic fit in logit p.

    Returns:
        The p of the crossing (nan where P(speak) does not rise with p), and the slope: log-odds of speaking a unit of
        logit p.
    """
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    x = np.clip(p_N, 1e-3, 1 - 1e-3).ravel()
    x = np.log(x / (1 - x))
    weight = np.ones_like(x) if weight_N is None else weight_N.ravel()
    fit = LogisticRegression(C=1e4, max_iter=1000)
    fit.fit(
        np.concatenate([x, x])[:, None],
        np.repeat([1, 0], len(x)),
        sample_weight=np.concatenate([speak_N.ravel() * weight, (1 - speak_N.ravel()) * weight]),
    )
    slope, offset = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (float(expit(-offset / slope)) if slope > 0 else float("nan")), slope


def ece(confidence_N: Floats, right_N: Floats, weight_N: Floats, bins: int = 15) -> float:
    """Expected calibration error over bins of equal width, where being right is known as a probability."""
    which = np.minimum((confidence_N.ravel() * bins).astype(int), bins - 1)
    gap = np.bincount(which, (weight_N * (confidence_N - right_N)).ravel(), bins)
    return float(np.abs(gap).sum() / weight_N.sum())


def curve(p_N: Floats, speak_N: Floats, weight_N: Floats, bins: int = 20) -> list[tuple[float, float, float]]:
    """P(speak) over p: of each bin of p its mean p, mean P(speak) and weight."""
    which = np.minimum((p_N.ravel() * bins).astype(int), bins - 1)
    total = np.bincount(which, weight_N.ravel(), bins)
    p = np.bincount(which, (p_N * weight_N).ravel(), bins) / np.maximum(total, 1e-30)
    speak = np.bincount(which, (speak_N * weight_N).ravel(), bins) / np.maximum(total, 1e-30)
    return [(round(a, 4), round(b, 4), round(c, 3)) for a, b, c in zip(p, speak, total, strict=True) if c > 0]


def _share(got: float, best: float) -> float:
    # Where nothing can be had there is no share of it.
    return got / best if best > 0 else float("nan")


def measure(
    policy: Behaviour, p_E_R: Floats, drawn_E_R: Floats, kind_E: npt.NDArray[np.int64], threshold: float
) -> dict[str, Any]:
    """Everything that is reported of a policy at τ.

    Args:
        p_E_R: the base model's probabilities of the same entities; oracles are computed from these.
        drawn_E_R: its probabilities at the temperature at which the answers were drawn that policies are trained on.
    """
    utility = oracle.causal_utility if policy.causal else oracle.independent_utility
    best = oracle.causal_oracle if policy.causal else oracle.independent_oracle
    full = utility(best(p_E_R, threshold), p_E_R, threshold)
    drawn = utility(best(drawn_E_R, threshold), drawn_E_R, threshold)
    seen = utility(oracle.visible(p_E_R, kind_E, threshold, utility), p_E_R, threshold)
    always = utility(np.ones_like(p_E_R), p_E_R, threshold)
    own_E_R = policy.p_E_R
    own = utility(best(own_E_R, threshold), own_E_R, threshold)
    speak_E_R, reach_E_R = policy.speak_E_R, policy.reach_E_R
    # What τ is compared with: p, or in a causal domain what saying the fact is worth before τ is paid.
    scale_E_R = oracle.worth(own_E_R, threshold) if policy.causal else own_E_R
    base_E_R = oracle.worth(p_E_R, threshold) if policy.causal else p_E_R
    switch, slope = logistic_switch(scale_E_R, speak_E_R, reach_E_R)
    base_switch, _ = logistic_switch(base_E_R, speak_E_R, reach_E_R)
    seen_E_R = np.stack([scale_E_R[kind_E == kind].mean(axis=0) for kind in range(kind_E.max() + 1)])[kind_E]
    got = policy.utility(threshold)
    said, right = policy.said()
    return {
        "utility": got,
        "share": _share(got, full),
        "share_drawn": _share(got, drawn),
        "share_visible": _share(got, seen),
        "share_own": _share(got, own),
        "oracle": full,
        "visible_oracle": seen,
        "always": always,
        "never": 0.0,
        "switch": switch,
        "slope": slope,
        "switch_base": base_switch,
        "switch_visible": logistic_switch(seen_E_R, speak_E_R, reach_E_R)[0],
        "ece": ece(speak_E_R, own_E_R, reach_E_R),
        "said": said,
        "right": right,
        "drift": float(np.abs(own_E_R - p_E_R).mean()),
        "astray": policy.astray,
        "curve": curve(np.clip(scale_E_R, 0, 1), speak_E_R, reach_E_R),
        **(_beside_stopping(policy, p_E_R, threshold) if policy.causal else {}),
    }


def _beside_stopping(policy: Behaviour, p_E_R: Floats, threshold: float) -> dict[str, float]:
    """A policy of a causal domain beside the best one that only stops, which is what its training data teach."""
    best = oracle.causal_utility(oracle.stopping(p_E_R, threshold), p_E_R, threshold)
    scale_E_R = np.minimum(oracle.worth_of_going_on(policy.p_E_R, threshold), 0.999)
    switch, _ = logistic_switch(scale_E_R, policy.going_on_E_R, policy.reach_next_E_R)
    return {"share_stopping": _share(policy.utility(threshold), best), "switch_stopping": switch}
