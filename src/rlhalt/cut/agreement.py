"""Other samples of the model beside each response, and how many of them agree with a fragment.

For each response `SAMPLES` others are drawn from the model, at temperature 0.7 whatever the response was drawn at. The
confidence in a fragment is the share of those that entail it among those that take sides (LUQ, arXiv 2403.20279): ½
where none does. It costs `SAMPLES` generations per prompt, where a token probability costs one forward pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from rlhalt.cut.splitting import split
from rlhalt.records import Json, Message, Scored, content_key
from rlhalt.sampling import load_engine
from rlhalt.scoring import Scorer
from rlhalt.uncertainty.agreement import agreements
from rlhalt.uncertainty.nli import NLI, lexical

SAMPLES, TEMPERATURE, TOGETHER = 5, 0.7, 32


def sampled_agreement(
    model: str,
    rows: Sequence[Scored],
    scorer: Scorer,
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
    max_tokens: int = 64,
    nli: NLI = lexical,
) -> list[list[float]]:
    """The agreement of the model's own samples with each fragment, in [0, 1].

    Args:
        model: the policy that wrote the responses.
        rows: responses with fragments.
        scorer: splits the samples; it verifies nothing.
        few_shot, template_args, max_tokens: what the responses were sampled with.
        nli: compares two fragments; by default by words.
    """
    every = samples(model, rows, scorer, few_shot, template_args, max_tokens)
    return [
        [one.contrast for one in next(agreements([row, *others], nli))] for row, others in zip(rows, every, strict=True)
    ]


def samples(
    model: str,
    rows: Sequence[Scored],
    scorer: Scorer,
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
    max_tokens: int = 64,
) -> list[list[Scored]]:
    """For each response `SAMPLES` others to its prompt, split into fragments; see `sampled_agreement`."""
    drawn = list(_drawn(model, rows, few_shot, template_args, max_tokens))
    return [
        [
            split(dataclasses.replace(row, key=f"{row.key}.{place}", response=text), scorer)
            for place, text in enumerate(drawn[number * SAMPLES : (number + 1) * SAMPLES])
        ]
        for number, row in enumerate(rows)
    ]


def _drawn(
    model: str, rows: Sequence[Scored], few_shot: Sequence[Message], template_args: Json | None, max_tokens: int
) -> Iterator[str]:
    """`SAMPLES` texts for each row, in the order of the rows; the same for the same row beside the same others."""
    engine = load_engine(model, "transformers", template_args)
    asked = [[*few_shot, *row.prompt] for row in rows for _ in range(SAMPLES)]
    for start in range(0, len(asked), TOGETHER):
        chats = asked[start : start + TOGETHER]
        seed = int(content_key(start, chats), 16) % 2**31
        for one in engine.complete(chats, temperature=TEMPERATURE, max_tokens=max_tokens, seed=seed):
            yield one.text
