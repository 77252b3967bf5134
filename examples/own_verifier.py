"""A verifier of your own, and what its verdicts are used for. Takes a second and needs no model.

python examples/own_verifier.py
"""

from __future__ import annotations

import re

from rlhalt import Scorer, pairs
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Response
from rlhalt.rewards import fragment_reward, response_reward
from rlhalt.verifiers import Verdict

DAYS = {
    "January": 31, "February": 28, "March": 31, "April": 30, "May": 31, "June": 30,
    "July": 31, "August": 31, "September": 30, "October": 31, "November": 30, "December": 31,
}  # fmt: skip


class Days:
    """Checks sentences such as "April has 30 days." with a table."""

    # Written into every scored row. Raise the number when verdicts change: old rows are then scored again.
    name = "days/1"

    def verify(self, response, fragments, reference):
        """One verdict per fragment, in order. Halting phrases ("Unsure from here.") are not among the fragments."""
        return [self._verdict(one.text, reference["months"]) for one in fragments]

    def _verdict(self, text, months):
        claims = re.findall(r"\b([A-Z][a-z]+) has (\d+) days\b", text)
        # What cannot be checked is unverifiable, never incorrect: a verifier does not guess. A month that was not
        # asked for is not checked either, or the model could earn rewards with any month that it knows.
        if len(claims) != 1 or claims[0][0] not in months:
            return Verdict("unverifiable", "says nothing about the days of a month that was asked for")
        month, number = claims[0]
        label = "correct" if int(number) == DAYS[month] else "incorrect"
        return Verdict(label, f"{month} has {DAYS[month]} days")


def main() -> None:
    """Score one response, show what each fragment earns, and make preference pairs of it."""
    threshold = 0.8
    scorer = Scorer(sentences, Days(), halting="independent")
    question = [{"role": "user", "content": "How long are April, May and June?"}]
    answer = "Here they are. April has 30 days. May has 30 days. June has 30 days. Unsure from here."
    response = Response(
        key="1",
        prompt_key="spring",
        index=0,
        prompt=question,
        response=answer,
        # Everything that the verifier needs to know about this prompt.
        reference={"months": ["April", "May", "June"]},
        domain="days",
        # Only responses to training prompts become pairs.
        split="train",
        finish_reason="stop",
        sampler={},
        n_tokens=30,
    )

    scored = scorer.score(response)
    print("Score: each fragment has a label, and earns 1 - τ, -τ or 0.")
    for one in scored.fragments:
        print(f"  {one.label:13}{fragment_reward(one.label, threshold):+.1f}  {one.text}")

    # The number that an RL trainer of whole responses would use.
    print(f"Reward of the response: {response_reward(scored.fragments, threshold, scorer.halting):+.1f}")

    # A wrong sentence is better left out (weight τ), a correct one is better kept (weight 1 - τ). DPO on these pairs
    # learns to generate a sentence where it is correct with probability τ or more.
    print("Pairs: the better side, then the worse side.")
    for pair in pairs([scored], threshold=threshold, style="remove"):
        print(f"  weight {pair.weight:.1f}\n    + {pair.chosen[0]['content']}\n    - {pair.rejected[0]['content']}")


if __name__ == "__main__":
    main()
