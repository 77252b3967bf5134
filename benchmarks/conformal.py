"""The conformal promise on real answers: one response a prompt, scored by how many others state the same fact.

    python benchmarks/conformal.py scored.jsonl

1,000 times the prompts are split at random into two halves: on one the threshold is chosen, on the other it is seen
how often its promise is kept, and what it costs. The score of a fact is the share of the prompt's N responses that
state it.
"""

from __future__ import annotations

import argparse

import numpy as np

from rlhalt.records import Scored, read
from rlhalt.training_data.targets.selection import by_prompt
from rlhalt.training_data.targets.self_consistency import agreement
from rlhalt.uncertainty.conformal import answers, keeps_promise, threshold

DRAWS = 1000


def main() -> None:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scored", help="JSON lines of scored responses, several a prompt")
    groups = by_prompt(read(parser.parse_args().scored, Scored))
    # What runs into the token limit has a last fragment without a score.
    groups = [group for group in groups if group[0].finish_reason != "length"]
    every = answers((group[0] for group in groups), {group[0].key: agreement(group)[0] for group in groups})
    claims = [(score, right) for one in every for score, right in zip(one.scores, one.right, strict=True)]
    print(f"{len(every)} prompts, {len(claims)} claims, {np.mean([right for _, right in claims]):.0%} right\n")
    print("| promise | kept, of 1,000 splits | claims kept | right of them | threshold, median |")
    print("| --- | --: | --: | --: | --: |")
    for share, error in [(1.0, 0.2), (1.0, 0.1), (0.8, 0.2), (0.8, 0.1), (0.8, 0.05)]:
        rng = np.random.default_rng(0)
        kept, left, right, at = [], [], [], []
        for _ in range(DRAWS):
            order = rng.permutation(len(every))
            calibration, new = order[: len(every) // 2], order[len(every) // 2 :]
            chosen = threshold([every[i] for i in calibration], error, share)
            kept.append(np.mean([keeps_promise(every[i], chosen, share) for i in new]))
            verdicts = [
                (score >= chosen, is_right)
                for i in new
                for score, is_right in zip(every[i].scores, every[i].right, strict=True)
            ]
            left.append(np.mean([stays for stays, _ in verdicts]))
            right.append(np.mean([is_right for stays, is_right in verdicts if stays] or [np.nan]))
            at.append(chosen)
        print(
            f"| {share:.0%} right with probability {1 - error:.0%} | {np.mean(kept):.1%} | {np.mean(left):.0%} | "
            f"{np.nanmean(right):.0%} | {np.median(at):.2f} |"
        )


if __name__ == "__main__":
    main()
