"""What a policy learns online where the prices are missing, and where they are there: 200 steps in a table.

    python benchmarks/grpo_prices.py

The policy is a table: before each sentence, by how many it has said, it draws one of 24 sentences about China or ends.
The knowledge base of the countries judges the sentences, and rewards and advantages are those of
`rlhalt.training.fragment_grpo`. Five facts are asked for. A response of twelve sentences runs into the limit. At the
start the policy ends in a quarter of the cases and speaks of anything as often. Trained by policy gradient, 16 groups
of 8 a step; the figures are those of the last 20 steps, a response.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlhalt.domains import countries, load_domain
from rlhalt.domains.countries.table import facts
from rlhalt.records import Fragment
from rlhalt.statement import said_before
from rlhalt.training.fragment_grpo.advantages import UNSEEN, Earned, Pay, advantages, earned

LIMIT, GROUP, GROUPS, STEPS, RATE = 12, 8, 16, 200, 0.3
FACTS = ["China is in Asia.", "Its capital is Beijing.", "Its currency is the renminbi."]
WRONG = ["China borders Spain.", "Its capital is Shanghai.", "China borders Japan.", "Its currency is the yen."]
VAGUE = ["It is a land of many faces.", "Much has been written about it.", "It is well known for its food."]


@dataclasses.dataclass(frozen=True)
class Way:
    """What is paid: prices, whether the number asked for counts, and whether cut-off responses are masked instead."""

    pay: Pay
    asked: int | None
    masked: bool


def sentences() -> list[Fragment]:
    """The sentences that the policy can say, each judged by itself."""
    names = dict.fromkeys(facts().entries["China"].facts["neighbour"].values())
    texts = [*FACTS, *(f"China borders {name}." for name in names), *WRONG, *VAGUE]
    scorer = load_domain("countries").scorer()
    return [scorer.judge(text, {"subject": "China"})[0] for text in texts]


def train(way: Way, seed: int = 0, steps: int = STEPS) -> dict[str, float]:
    """Train a table; what its responses are like in the last tenth of the steps."""
    rng, said = np.random.default_rng(seed), sentences()
    # The last choice is to end.
    logits_L_C = np.zeros((LIMIT, len(said) + 1))
    logits_L_C[:, -1] = np.log(len(said) / 3)
    seen: list[list[Fragment]] = []
    for step in range(steps):
        chances_L_C = np.exp(logits_L_C - logits_L_C.max(1, keepdims=True))
        chances_L_C /= chances_L_C.sum(1, keepdims=True)
        gradient_L_C = np.zeros_like(logits_L_C)
        for _ in range(GROUPS):
            group = [_drawn(rng, chances_L_C) for _ in range(GROUP)]
            responses = [[said[one] for one in choices if one < len(said)] for choices in group]
            values = advantages([_earned(one, way) for one in responses])
            for choices, row in zip(group, values, strict=True):
                for place, (choice, value) in enumerate(zip(choices, row, strict=False)):
                    gradient_L_C[place] -= value * chances_L_C[place]
                    gradient_L_C[place, choice] += value
            if step >= steps * 9 // 10:
                seen += responses
        logits_L_C += RATE * gradient_L_C / (GROUP * GROUPS) * LIMIT
    return measured(seen)


def _drawn(rng: np.random.Generator, chances_L_C: npt.NDArray[np.float64]) -> list[int]:
    below_L_C = chances_L_C.cumsum(axis=1) < rng.random((len(chances_L_C), 1))
    choices: list[int] = below_L_C.sum(axis=1).clip(max=chances_L_C.shape[1] - 1).tolist()
    end = chances_L_C.shape[1] - 1
    return choices[: choices.index(end) + 1] if end in choices else choices


def _earned(response: Sequence[Fragment], way: Way) -> Earned:
    cut = len(response) == LIMIT
    if cut and way.masked:
        return UNSEEN
    return earned(response, way.pay, way.asked, unfinished=cut)


def measured(responses: Sequence[Sequence[Fragment]]) -> dict[str, float]:
    """Means a response: sentences, right ones that are new, wrong ones, uncheckable ones, repeated ones, cut off."""
    labels = [[one.label for one in response] for response in responses]
    again = [said_before(response) for response in responses]
    new = [
        sum(label == "correct" and not one for label, one in zip(*both, strict=True))
        for both in zip(labels, again, strict=True)
    ]
    return {
        "sentences": float(np.mean([len(one) for one in responses])),
        "right, new": float(np.mean(new)),
        "wrong": float(np.mean([one.count("incorrect") for one in labels])),
        "vague": float(np.mean([one.count("unverifiable") for one in labels])),
        "repeated": float(np.mean([sum(one) for one in again])),
        "cut off": float(np.mean([len(one) == LIMIT for one in responses])),
    }


def ways(threshold: float) -> dict[str, Way]:
    """What was paid up to ff0c5e2, that with one guard more each, and what is paid now."""
    free = Pay(threshold, "independent", unverifiable=-0.1, repeated=0.0, unfinished=0.0)
    priced = dataclasses.replace(free, unfinished=-1.0)
    return {
        "a mask, no number asked for": Way(free, None, masked=True),
        "a mask, five asked for": Way(free, countries.FACTS, masked=True),
        "`unfinished: -1.0`": Way(priced, countries.FACTS, masked=False),
        "`unfinished: -1.0`, `repeated: -0.5`": Way(
            dataclasses.replace(priced, repeated=-0.5), countries.FACTS, masked=False
        ),
    }


def main() -> None:
    """A row for each threshold and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.1, 0.5])
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args()
    heads: list[str] = []
    for threshold in args.thresholds:
        for name, way in ways(threshold).items():
            found = train(way, steps=args.steps)
            if not heads:
                heads = list(found)
                print(f"| τ | paid | {' | '.join(heads)} |\n| --: | --- |{' --: |' * len(heads)}")
            print(f"| {threshold:g} | {name} | {' | '.join(f'{found[one]:.2f}' for one in heads)} |", flush=True)


if __name__ == "__main__":
    main()
