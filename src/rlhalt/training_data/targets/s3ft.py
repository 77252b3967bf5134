"""S3FT (arXiv 2502.08130) and SSR (arXiv 2409.04787): the model's own right answer, the gold one elsewhere.

    gold "A lies in Asia.", responses "A is in Asia." (right), "A is in Europe." (wrong)  →  A is in Asia.
    gold "A lies in Asia.", responses "A is in Europe." (wrong)                           →  A lies in Asia.

The papers train on what the model would have said itself where a judge finds it equal to the gold answer, because such
targets move the model least. The judge is the verifier here, and the model has N tries: the first right response
counts. S3FT has the model paraphrase the gold answer where it is wrong, and takes the paraphrase if a judge accepts it;
that step is left out, as in SSR.

It acts per response, for one fact and for many: a response is right if something in it is right and nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rlhalt.records import Scored, Target
from rlhalt.training_data.pieces import target, whole
from rlhalt.training_data.targets.reference import required_answer
from rlhalt.training_data.targets.selection import by_prompt, correctness


def targets(rows: Iterable[Scored]) -> Iterator[Target]:
    """One target a prompt.

    Raises:
        InputError: a prompt without a right response whose reference has no answer.
    """
    for group in by_prompt(rows):
        row = next((one for one in group if correctness(one) == 1), None)
        if row is not None:
            yield target(row, "".join(whole(row)), "s3ft")
        else:
            yield target(group[0], required_answer(group[0]), "s3ft")
