"""What the guards of online training are for: each exploit, paid without its guard and with it.

    python benchmarks/grpo_guards.py

Nothing is trained and nothing sampled: responses made by hand are judged by the knowledge base of the countries, and
what a policy would learn is worked out. Where a policy has few choices, the best one under a KL penalty is known: each
choice has its probability in the reference, times exp(reward / beta).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np

from rlhalt.domains import countries, load_domain
from rlhalt.errors import TooManyFailures, TrainingDiverged
from rlhalt.rewards import fragment_reward
from rlhalt.training.fragment_grpo import callbacks
from rlhalt.training.fragment_grpo.advantages import Earned, Pay, advantages, earned

THRESHOLD = 0.5
NORWAY = {"subject": "Norway"}
FACTS = ["Norway is in Europe.", "Its capital is Oslo.", "Its currency is the Norwegian krone."]
GROUP = 8


def repeated(times: int) -> tuple[float, float]:
    """What one right sentence earns said over and over: each for itself, and as it counts."""
    scorer = load_domain("countries").scorer()
    text = " ".join([FACTS[0]] * times)
    alone = [scorer.judge(FACTS[0], NORWAY)[0] for _ in range(times)]
    without = sum(fragment_reward(one.label, THRESHOLD) or 0.0 for one in alone)
    return without, total(earned(scorer.judge(text, NORWAY), Pay(THRESHOLD, "independent")))


def neighbours() -> tuple[float, float]:
    """What the fourteen neighbours of China earn where five facts are asked for: without that number, and with it."""
    names = dict.fromkeys(countries.facts().entries["China"].facts["neighbour"].values())
    text = " ".join(f"China borders {name}." for name in names)
    judged = load_domain("countries").scorer().judge(text, {"subject": "China"})
    without, guarded = (
        total(earned(judged, Pay(THRESHOLD, "independent"), asked)) for asked in (None, countries.FACTS)
    )
    return without, guarded


def vague(price: float, beta: float) -> tuple[float, float]:
    """How often the best policy says something that cannot be checked, and how often it halts, where it is right 0.3.

    The reference claims in 0.6, is vague in 0.3 and halts in 0.1 of the cases.
    """
    _, unclear, halts = best((0.6, 0.3, 0.1), (0.3 - THRESHOLD, price, 0.0), beta)
    return unclear, halts


def hole(beta: float, seldom: float = 1e-6) -> float:
    """How often the best policy says what a verifier with a hole takes for four right claims.

    The reference says it once in a million cases, claims what is right 0.7 in half of the others, and halts else.
    """
    rest = (1 - seldom) / 2
    return best((seldom, rest, rest), (4 * (1 - THRESHOLD), 0.7 - THRESHOLD, 0.0), beta)[0]


def best(reference: Sequence[float], rewards: Sequence[float], beta: float) -> list[float]:
    """The policy with the most reward less beta · KL to the reference; the greedy one at 0."""
    if beta == 0:
        return [float(one == max(rewards)) for one in rewards]
    # Less the largest, or exp overflows.
    logits = np.log(reference) + np.array(rewards) / beta
    weights = np.exp(logits - logits.max())
    found: list[float] = (weights / weights.sum()).tolist()
    return found


def switch_point(threshold: float, speaks: float, by_deviation: bool) -> float:
    """The p from which on a policy that speaks so often learns to speak more, in groups of 8.

    Exact: over all numbers of right, wrong and halting responses in a group, the expected gradient of the logit of
    speaking. With `by_deviation` advantages are divided by the standard deviation of the group, as in GRPO.
    """
    low, high = 0.0, 1.0
    for _ in range(40):
        p = (low + high) / 2
        low, high = (low, p) if _slope(p, threshold, speaks, by_deviation) > 0 else (p, high)
    return (low + high) / 2


def _slope(p: float, threshold: float, speaks: float, by_deviation: bool) -> float:
    slope = 0.0
    for right in range(GROUP + 1):
        for wrong in range(GROUP + 1 - right):
            halted = GROUP - right - wrong
            ways = math.factorial(GROUP) / math.prod(map(math.factorial, (right, wrong, halted)))
            chance = ways * (speaks * p) ** right * (speaks * (1 - p)) ** wrong * (1 - speaks) ** halted
            rewards = np.repeat([1 - threshold, -threshold, 0.0], [right, wrong, halted])
            gained = rewards - rewards.mean()
            if by_deviation:
                gained = gained / (rewards.std(ddof=1) + 1e-4)
            # Of advantage · (spoke - speaks), as advantages of a group sum to 0.
            slope += chance * gained[: right + wrong].sum()
    return float(slope)


def cut_off() -> tuple[float, float]:
    """What an honest beginning and a claim that is cut in two earn, judged as they stand; and its gradient, masked."""
    scorer = load_domain("countries").scorer()
    judged = scorer.judge(f"{FACTS[0]} Its capital is Os", NORWAY)
    other = earned(scorer.judge(FACTS[0], NORWAY), Pay(THRESHOLD, "independent"))
    masked = advantages([None, other, other])[0]
    return total(earned(judged, Pay(THRESHOLD, "independent"))), sum(masked)


def rambling(masked: bool, right: float = 0.9, rambles: float = 0.5) -> float:
    """The expected gradient of the logit of making 12 claims and being cut off, over making three and ending.

    Exact, over the numbers of either in a group of 8; every response has what it earns on the whole.
    """
    each = right - THRESHOLD
    slope = 0.0
    for number in range(GROUP + 1):
        chance = math.comb(GROUP, number) * rambles**number * (1 - rambles) ** (GROUP - number)
        cut = None if masked else Earned((12 * each,), 12 * each)
        ended = Earned((3 * each,), 3 * each)
        found = advantages([cut] * number + [ended] * (GROUP - number), "sum")
        moved = [sum(row) for row in found]
        slope += chance * (sum(moved[:number]) * (1 - rambles) - sum(moved[number:]) * rambles)
    return slope / GROUP


def stopped(sign: str, value: float, limits: callbacks.Limits, steps: int = 60, since: int = 10) -> int:
    """The step of 60 in which a run ends that shows a sign from the tenth on."""
    usual = {"responses/refused": 0.1, "groups/empty": 0.1, "completions/mean_length": 30.0}
    history: list[dict[str, float]] = []
    for step in range(1, steps + 1):
        history.append({**usual, **({sign: value} if step >= since else {})})
        try:
            callbacks.check(history, limits)
        except (TrainingDiverged, TooManyFailures):
            return step
    return steps


def total(one: Earned) -> float:
    """What a response earned that was judged without failures."""
    assert one.total is not None
    return one.total


def table() -> str:
    """Markdown."""
    limits, never = callbacks.Limits(0.98, 8.0, 0.98, 0.02, 5), callbacks.Limits(2.0, 1e9, 2.0, 2.0, 5)
    lines: list[tuple[str, str, str, str]] = []

    def row(guard: str, exploit: str, without: str, guarded: str) -> None:
        lines.append((guard, exploit, without, guarded))

    plain, counted = repeated(20)
    row("said twice counts once", "one right sentence, 20 times", f"earns {plain:.1f}", f"{counted:.1f}")
    plain, counted = neighbours()
    row("`n_asked: 5` in the reference", "14 neighbours of China", f"earns {plain:.1f}", f"{counted:.1f}")
    shares = (vague(price, 0.005) for price in (0.0, -0.1))
    row("`unverifiable: -0.1`", "vague where it is right 0.3", *(f"vague {v:.2f}, halts {h:.2f}" for v, h in shares))
    for beta in (0.005, 0.15):
        row(f"`beta: {beta}`", "a hole in the verifier, worth 4 claims", *(f"used in {hole(b):.2f}" for b in (0, beta)))
    for threshold in (0.1, 0.2, 0.5, 0.8, 0.9):
        both = (switch_point(threshold, 0.5, by) for by in (True, False))
        row("`scale_rewards: none`", f"τ = {threshold}", *(f"speaks from p = {one:.2f}" for one in both))
    cut, masked = cut_off()
    row("truncated ones are masked", "right, then cut in a word", f"earns {cut:.1f}, not 0.5", f"gradient {masked:.0f}")
    drifts = (rambling(one) for one in (False, True))
    row("the same", "12 right claims without an end, or 3", *(f"gradient {one:+.3f}" for one in drifts))
    for sign, value, what in (
        ("responses/refused", 1.0, "everything is refused"),
        ("groups/empty", 1.0, "nothing to tell apart"),
        ("completions/mean_length", 400.0, "13 times as long"),
        ("fragments/failure_share", 0.2, "the verifier breaks"),
    ):
        ends = (stopped(sign, value, one) for one in (never, limits))
        row("alarms", f"{what} from step 10 of 60", *(f"ends with step {one}" for one in ends))
    head = ("guard", "exploit", "without", "with")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * 4, *lines))


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(table())
