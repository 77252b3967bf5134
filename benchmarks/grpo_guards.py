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
from typing import Literal, get_args

import numpy as np

from rlhalt.domains import countries, load_domain
from rlhalt.domains.countries.table import facts
from rlhalt.errors import TooManyFailures, TrainingDiverged
from rlhalt.rewards import fragment_reward
from rlhalt.training.fragment_grpo import callbacks
from rlhalt.training.fragment_grpo.advantages import UNSEEN, Earned, Pay, advantages, earned

THRESHOLD = 0.5
NORWAY = {"subject": "Norway"}
FACTS = ["Norway is in Europe.", "Its capital is Oslo.", "Its currency is the Norwegian krone."]
GROUP = 8
Norm = Literal["constant", "deviation", "tokens", "own"]
Cut = Literal["paid", "masked", "priced"]


def repeated(times: int, threshold: float = THRESHOLD) -> tuple[float, float, float]:
    """What one right sentence earns said over and over: each for itself, counted once, and with the price of each."""
    scorer = load_domain("countries").scorer()
    judged = scorer.judge(" ".join([FACTS[0]] * times), NORWAY)
    alone = [scorer.judge(FACTS[0], NORWAY)[0] for _ in range(times)]
    each = sum(fragment_reward(one.label, threshold) or 0.0 for one in alone)
    free = Pay(threshold, "independent", repeated=0.0)
    return each, total(earned(judged, free)), total(earned(judged, Pay(threshold, "independent")))


def neighbours() -> tuple[float, float, float]:
    """What the neighbours of China earn, one by one until the limit of tokens, where five facts are asked for.

    Without any guard, with the number that is asked for, and with the price of not ending too.
    """
    names = dict.fromkeys(facts().entries["China"].facts["neighbour"].values())
    text = " ".join(f"China borders {name}." for name in names)
    judged = load_domain("countries").scorer().judge(text, {"subject": "China"})
    its = Pay(THRESHOLD, "independent")
    whole = [total(earned(judged, its, asked)) for asked in (None, countries.FACTS)]
    return whole[0], whole[1], total(earned(judged, its, countries.FACTS, unfinished=True))


def vague(price: float, beta: float) -> tuple[float, float]:
    """How often the best policy says something that cannot be checked, and how often it halts, where it is right 0.3.

    The reference claims in 0.6, is vague in 0.3 and halts in 0.1 of the cases.
    """
    _, unclear, halts = best((0.6, 0.3, 0.1), (0.3 - THRESHOLD, price, 0.0), beta)
    return unclear, halts


def hole(beta: float, seldom: float = 1e-6, *, reverse: bool = True) -> float:
    """How often the best policy says what a verifier with a hole takes for four right claims.

    The reference says it once in a million cases, claims what is right 0.7 in half of the others, and halts else.

    Args:
        reverse: whether the penalty is KL(policy, reference), as `use_bias_correction_kl` has it, or the forward one.
    """
    rest = (1 - seldom) / 2
    reference, rewards = (seldom, rest, rest), (4 * (1 - THRESHOLD), 0.7 - THRESHOLD, 0.0)
    return (best if reverse else best_forward)(reference, rewards, beta)[0]


def best_forward(reference: Sequence[float], rewards: Sequence[float], beta: float) -> list[float]:
    """The policy with the most reward less beta · KL(reference, policy): beta · reference / (z - reward), z by halving.

    Where the derivatives of all choices are equal, reward + beta · reference / policy = z.
    """
    low, high = max(rewards), max(rewards) + beta
    both = list(zip(reference, rewards, strict=True))
    for _ in range(200):
        z = (low + high) / 2
        mass = sum(beta * one / (z - reward) if z > reward else math.inf for one, reward in both)
        low, high = (z, high) if mass > 1 else (low, z)
    return [beta * one / (high - reward) for one, reward in both]


def best(reference: Sequence[float], rewards: Sequence[float], beta: float) -> list[float]:
    """The policy with the most reward less beta · KL to the reference; the greedy one at 0."""
    if beta == 0:
        return [float(one == max(rewards)) for one in rewards]
    # Less the largest, or exp overflows.
    logits = np.log(reference) + np.array(rewards) / beta
    weights = np.exp(logits - logits.max())
    found: list[float] = (weights / weights.sum()).tolist()
    return found


def switch_point(
    threshold: float, speaks: float, by: Norm = "constant", lengths: tuple[int, int, int] = (1, 1, 1)
) -> float:
    """The p from which on a policy that speaks so often learns to speak more, in groups of 8.

    Exact: over all numbers of right, wrong and halting responses in a group, the expected gradient of the logit of
    speaking.

    Args:
        by: what the sum over tokens is divided by. `constant`: as in dr_grpo. `deviation`: advantages by the standard
            deviation of the group, as in GRPO. `tokens`: by the number of tokens of the batch, as in dapo, bnpo and
            cispo, here a batch of one group. `own`: each response by its own number, as in TRL's `grpo`.
        lengths: tokens of a right, a wrong and a halting response.
    """
    low, high = 0.0, 1.0
    for _ in range(40):
        p = (low + high) / 2
        low, high = (low, p) if _slope(p, threshold, speaks, by, lengths) > 0 else (p, high)
    return (low + high) / 2


def _slope(p: float, threshold: float, speaks: float, by: Norm, lengths: tuple[int, int, int]) -> float:
    slope = 0.0
    for right in range(GROUP + 1):
        for wrong in range(GROUP + 1 - right):
            halted = GROUP - right - wrong
            ways = math.factorial(GROUP) / math.prod(map(math.factorial, (right, wrong, halted)))
            chance = ways * (speaks * p) ** right * (speaks * (1 - p)) ** wrong * (1 - speaks) ** halted
            rewards = np.repeat([1 - threshold, -threshold, 0.0], [right, wrong, halted])
            tokens = np.repeat(np.array(lengths, dtype=float), [right, wrong, halted])
            spoke = np.repeat([1.0, 1.0, 0.0], [right, wrong, halted])
            divisors = {"constant": 1.0, "deviation": rewards.std(ddof=1) + 1e-4, "tokens": tokens.sum(), "own": tokens}
            slope += chance * float(((rewards - rewards.mean()) / divisors[by] * (spoke - speaks)).sum())
    return slope


def rambling(how: Cut, right: float = 0.9, rambles: float = 0.5) -> float:
    """The expected gradient of the logit of making claims to the limit, over the five that were asked for and an end.

    Exact, over the numbers of either in a group of 8. Each response has what its claims earn on average; the longer one
    makes eleven, and the limit cuts off a twelfth.

    Args:
        how: `paid` as it stands, the eleven as if eleven were asked for; `masked`, without gradient and in no mean; or
            `priced`.
        right: how often a claim is right.
        rambles: share of responses that run into the limit.
    """
    within, beyond = right - THRESHOLD, -(1 - right) * THRESHOLD
    length, price = 11 - countries.FACTS, Pay(THRESHOLD, "independent").unfinished
    five = countries.FACTS * within
    cut = {"paid": five + length * within, "masked": None, "priced": five + length * beyond + price}[how]
    long, short = UNSEEN if cut is None else Earned((cut,), cut), Earned((five,), five)
    slope = 0.0
    for number in range(GROUP + 1):
        chance = math.comb(GROUP, number) * rambles**number * (1 - rambles) ** (GROUP - number)
        moved = [sum(row) for row in advantages([long] * number + [short] * (GROUP - number), "sum")]
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

    for threshold in (0.5, 0.1):
        plain, counted, priced = repeated(20, threshold)
        said = f"one right sentence, 20 times, τ = {threshold}"
        row("said twice counts once", said, f"earns {plain:.1f}", f"{counted:.1f}")
        row("`repeated: -0.5` too", said, f"earns {counted:.1f}", f"{priced:.1f}")
    plain, counted, priced = neighbours()
    listed = "14 neighbours of China, up to the limit"
    row("`n_asked: 5` in the reference", listed, f"earns {plain:.1f}", f"{counted:.1f}")
    row("`unfinished: -1.0` too", listed, f"earns {counted:.1f}", f"{priced:.1f}")
    for right, rambles in ((0.9, 0.5), (0.3, 0.9)):
        said = f"claims right {right} up to the limit in {rambles:.0%} of responses, or five and an end"
        drifts = {how: rambling(how, right, rambles) for how in get_args(Cut)}
        row("`n_asked`, `unfinished`", said, f"gradient {drifts['paid']:+.3f}", f"{drifts['priced']:+.3f}")
        row("the same in place of a mask", said, f"gradient {drifts['masked']:+.3f}", f"{drifts['priced']:+.3f}")
    shares = (vague(price, 0.005) for price in (0.0, -0.1))
    row("`unverifiable: -0.1`", "vague where it is right 0.3", *(f"vague {v:.2f}, halts {h:.2f}" for v, h in shares))
    for beta in (0.005, 0.15):
        row(f"`beta: {beta}`", "a hole in the verifier, worth 4 claims", *(f"used in {hole(b):.2f}" for b in (0, beta)))
    holes = (hole(0.15, reverse=one) for one in (False, True))
    row("`use_bias_correction_kl: true`", "the same, `beta: 0.15`", *(f"used in {one:.2f}" for one in holes))
    for threshold in (0.1, 0.2, 0.5, 0.8, 0.9):
        both = [switch_point(threshold, 0.5, by) for by in ("deviation", "constant")]
        row("`scale_rewards: none`", f"τ = {threshold}", *(f"speaks from p = {one:.2f}" for one in both))
    for by, name in (("own", "grpo"), ("tokens", "dapo, bnpo, cispo")):
        both = [switch_point(THRESHOLD, 0.5, one, (10, 30, 5)) for one in (by, "constant")]
        row(
            "`loss_type: dr_grpo`",
            f"{name}, wrong fragments three times as long",
            *(f"speaks from p = {one:.2f}" for one in both),
        )
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
