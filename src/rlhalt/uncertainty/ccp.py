"""Claim-conditioned probability: how sure the policy is of what a fragment claims, whatever way it is put.

    fragment ─ its tokens with their K = 10 alternatives ─► NLI ─► CCP of each token ─ product ─► CCP of the fragment

Fadeeva et al., arXiv 2403.04696. At token j of a claim the alternatives that say the same thing (another spelling) and
those that say the opposite (another value) are told apart from those that begin another kind of claim:

    CCP_j = Σ_entail p_k / (Σ_entail p_k + Σ_contradict p_k),        CCP(claim) = Π_j CCP_j,        U = -CCP

The token that was written entails itself, so that the quotient is always defined: 1 where no alternative contradicts
it. Function words have CCP_j = 1. An alternative is asked about in both directions: where one direction is neutral the
other one counts, entailment one way and contradiction the other is neutral. All this is lm-polygraph 0.7's
`ClaimConditionedProbabilityClaim`, which the tests hold it to. Two things differ, and both are in the data handed in,
not in the formula: lm-polygraph looks its undecoded token ids up in the list of stop words, so that none is ever found,
while here the *word* a token belongs to is looked up; and a special token as an alternative (the end of the turn) is
neutral without asking, for it ends a claim and denies nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from rlhalt.chat.templates import Template
from rlhalt.chat.token_spans import fragment_tokens, tokens_of
from rlhalt.errors import InputError
from rlhalt.models.names import load_policy
from rlhalt.records import Fragment, Json, Message, Scored
from rlhalt.running.progress import track
from rlhalt.uncertainty.batches import Encoded, batches, first_read
from rlhalt.uncertainty.nli import NLI, Relation, is_function_word, relations

K = 10
GROUP = 16

Context = Literal["claim", "token"]


@dataclasses.dataclass(frozen=True)
class Alternative:
    """A token that the policy wrote, or could have written.

    Attributes:
        token: its text alone; empty for a special token.
        claim: the fragment up to and with it.
        log_probability: of the token, given everything before it.
    """

    token: str
    claim: str
    log_probability: float

    def __post_init__(self) -> None:
        if not -math.inf < self.log_probability <= 1e-3:
            raise InputError(
                f"expected a finite log-probability of {self.token!r}, at most 0, found {self.log_probability}"
            )


@dataclasses.dataclass(frozen=True)
class Position:
    """One token of a fragment.

    Attributes:
        written: the token that is there.
        others: what the policy could have put in its place.
        function: whether the token belongs to a function word, see `entailment.is_function_word`.
    """

    written: Alternative
    others: tuple[Alternative, ...]
    function: bool


def both_ways(forward: Relation, backward: Relation) -> Relation:
    """One relation from those of (a, b) and (b, a): the one that is not neutral, neutral where they are opposed."""
    if forward == backward or backward == "neutral":
        return forward
    return backward if forward == "neutral" else "neutral"


def token_log_ccp(written: float, others: Sequence[float], found: Sequence[Relation]) -> float:
    """log CCP_j from the log-probabilities of the written token and its alternatives, and what these are to it.

    The written token entails itself. A common factor of the probabilities cancels, so they need not sum to 1.
    """
    entailed = [written, *(p for p, relation in zip(others, found, strict=True) if relation == "entailment")]
    opposed = [p for p, relation in zip(others, found, strict=True) if relation == "contradiction"]
    return float(np.logaddexp.reduce(entailed) - np.logaddexp.reduce(entailed + opposed))


def ccp(rows: Iterable[Sequence[Sequence[Position]]], nli: NLI, context: Context = "claim") -> Iterator[list[float]]:
    """The claim-conditioned probability of every fragment, in [0, 1]; U of UNIT (arXiv 2502.11962) is its negative.

    Args:
        rows: one item a response: for each fragment its positions, see `alternatives` and `from_log_probabilities`.
        nli: asked about the pairs of `GROUP` responses at a time; no more of them are in memory.
        context: what the NLI model compares. `claim`: the fragment up to and with either token, as UNIT does
            ("fact_pref" in lm-polygraph). `token`: the two tokens alone ("no_context", the default there).

    Yields:
        One list a response, one number a fragment; NaN for a fragment without tokens.

    Raises:
        VerifierFailure: the NLI model's answers are not relations, one a pair.
    """
    rows = iter(rows)
    while group := list(itertools.islice(rows, GROUP)):
        positions = [one for fragments in group for fragment in fragments for one in fragment]
        known = relations(nli, (pair for one in positions for pair in _questions(one, context)))
        for fragments in group:
            yield [
                math.exp(sum(_log_ccp(one, known, context) for one in fragment)) if fragment else math.nan
                for fragment in fragments
            ]


def _text(one: Alternative, context: Context) -> str:
    return one.claim.strip() if context == "claim" else one.token.strip(string.punctuation + " \n")


def _questions(position: Position, context: Context) -> Iterator[tuple[str, str]]:
    if not position.function:
        written = _text(position.written, context)
        for other in position.others:
            if other.token:
                yield written, _text(other, context)
                yield _text(other, context), written


def _log_ccp(position: Position, known: Mapping[tuple[str, str], Relation], context: Context) -> float:
    if position.function:
        return 0.0
    written = _text(position.written, context)
    found: list[Relation] = []
    for other in position.others:
        text = _text(other, context)
        found.append(both_ways(known[written, text], known[text, written]) if other.token else "neutral")
    return token_log_ccp(position.written.log_probability, [one.log_probability for one in position.others], found)


def token_probability(fragment: Sequence[Position]) -> float:
    """The geometric mean of the probabilities of a fragment's tokens, the baseline; NaN without tokens."""
    written = [position.written.log_probability for position in fragment]
    return math.exp(sum(written) / len(written)) if written else math.nan


WINDOW = 128


def alternatives(
    model: str, rows: Sequence[Scored], few_shot: Sequence[Message] = (), k: int = K, template_args: Json | None = None
) -> Iterator[list[list[Position]]]:
    """The policy's alternatives at every token of every fragment: one forward pass over prompt and response.

    Probabilities are the model's own, at temperature 1, whatever the responses were drawn with. Batches are those of
    `rlhalt.uncertainty.batches`; no more alternatives are in memory than those of `WINDOW` rows.

    Args:
        model: the policy, see `rlhalt.models.names.resolve_model`.
        rows: responses with fragments, judged or not.
        few_shot: the examples the responses were drawn with.
        k: alternatives a token, the written one among them.
        template_args: the arguments of the chat template that they were drawn with.

    Yields:
        One list a row, in order: for each fragment its positions.
    """
    policy, tokenizer = load_policy(model)
    rendered = Template(tokenizer, template_args)
    starts = range(0, len(rows), WINDOW)
    for start in track(starts, "alternatives"):
        encoded = [
            fragment_tokens(
                tokenizer, rendered.before([*few_shot, *row.prompt], row.response), row.response, row.fragments
            )
            for row in rows[start : start + WINDOW]
        ]
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index][0]))
        found: dict[int, list[list[Position]]] = {}
        for batch in batches(order, encoded, policy.config.get_text_config().vocab_size):
            tops = _top(policy, [encoded[index] for index in batch], k)
            for index, top in zip(batch, tops, strict=True):
                ids, spans = encoded[index]
                found[index] = [_positions(tokenizer, ids[low:high], top[low:high]) for low, high in spans]
        yield from (found[index] for index in range(len(encoded)))


# Token id → log-probability, by position; empty before the first fragment.
_Top = list[dict[int, float]]


def _top(policy: Any, batch: Sequence[Encoded], k: int) -> list[_Top]:
    import torch

    longest = max(len(ids) for ids, _ in batch)
    # Position t predicts token t + 1, so nothing predicts the very first one.
    first = max(1, min(map(first_read, batch)))
    # Padded behind: what is padded with is masked, and nothing looks forward.
    ids_B_T = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch], device=policy.device)
    mask_B_T = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in batch], device=policy.device)
    with torch.no_grad():
        logits = policy(input_ids=ids_B_T, attention_mask=mask_B_T, logits_to_keep=longest - first + 1).logits
    tops = []
    for row, (ids, _) in enumerate(batch):
        log_probs_T_V = logits[row, : len(ids) - first].float().log_softmax(-1)
        written = log_probs_T_V.gather(-1, ids_B_T[row, first : len(ids), None])[:, 0].tolist()
        values, indices = (one.tolist() for one in log_probs_T_V.topk(min(k, log_probs_T_V.shape[-1])))
        top: _Top = [{} for _ in range(first)]
        for token, value, others, numbers in zip(ids[first:], written, indices, values, strict=True):
            ranked = {other: number for other, number in zip(others, numbers, strict=True) if other != token}
            top.append({token: value, **dict(itertools.islice(ranked.items(), k - 1))})
        tops.append(top)
    return tops


def _positions(tokenizer: Any, ids: Sequence[int], top: Sequence[Mapping[int, float]]) -> list[Position]:
    """The positions of one fragment from its token ids, and for each of them ids with their log-probabilities."""
    text = _decode(tokenizer, ids)
    before, positions = "", []
    for index, token in enumerate(ids):
        found = [
            Alternative(_decode(tokenizer, [other]), _decode(tokenizer, [*ids[:index], other]), top[index][other])
            for other in (token, *(other for other in top[index] if other != token))
        ]
        after = found[0].claim
        positions.append(Position(found[0], tuple(found[1:]), is_function_word(text, _start(before), len(after))))
        before = after
    return positions


def _start(before: str) -> int:
    # A token may hold the first bytes of a character only, which decode to U+FFFD until the others have come.
    return len(before.rstrip("\ufffd"))


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False) if ids else ""
    return text


def from_log_probabilities(
    tokenizer: Any,
    response: str,
    fragments: Sequence[Fragment],
    ids: Sequence[int],
    top: Sequence[Mapping[int, float]],
) -> list[list[Position]]:
    """The positions of every fragment from what a sampling engine reports, without another forward pass.

    From vLLM, with `SamplingParams(logprobs=10)`:

        one = output.outputs[0]
        top = [{token: found.logprob for token, found in position.items()} for position in one.logprobs]
        from_log_probabilities(tokenizer, one.text, fragments, one.token_ids, top)

    Args:
        response: the text that was sampled; the fragments' offsets point into it.
        ids: the sampled token ids, an end of turn included or not.
        top: for each of them token ids with log-probabilities, the sampled one among them.

    Raises:
        InputError: ids and log-probabilities of different length or without the sampled token, or ids that do not
            decode to the response.
    """
    if len(ids) != len(top) or any(token not in position for token, position in zip(ids, top, strict=True)):
        raise InputError(
            f"expected log-probabilities of {len(ids)} sampled tokens with each of them among its own, found {len(top)}"
        )
    prefixes = [_decode(tokenizer, ids[:index]) for index in range(len(ids) + 1)]
    if not prefixes[-1].startswith(response):
        raise InputError(f"expected token ids of {response[:40]!r}, found ids of {prefixes[-1][:40]!r}")
    starts = []
    for before, after in itertools.pairwise(prefixes):
        piece = after[_start(before) :]
        starts.append(len(after) - len(piece.lstrip()) if piece.strip() else len(after))
    found = []
    for fragment in fragments:
        chosen = slice(*tokens_of(starts, fragment.start, fragment.end))
        found.append(_positions(tokenizer, ids[chosen], top[chosen]))
    return found
