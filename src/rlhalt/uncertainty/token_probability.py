"""How sure a policy was of each fragment, read off its own probabilities in one forward pass a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rlhalt.chat.templates import Template, turn_ends
from rlhalt.chat.token_spans import fragment_tokens
from rlhalt.models.names import load_policy
from rlhalt.records import HALT_PHRASE, Confidence, Json, Message, Scored
from rlhalt.running.progress import track
from rlhalt.uncertainty.batches import batches, first_read


def geometric_mean(log_probabilities: Sequence[float]) -> float:
    """The geometric mean of the probabilities of tokens; NaN without tokens.

    >>> round(geometric_mean([math.log(0.5), math.log(0.125)]), 3)
    0.25
    """
    return math.exp(sum(log_probabilities) / len(log_probabilities)) if log_probabilities else math.nan


def least(log_probabilities: Sequence[float]) -> float:
    """The least of the probabilities of tokens; NaN without tokens."""
    return math.exp(min(log_probabilities)) if log_probabilities else math.nan


def confidences(
    model: str,
    rows: Sequence[Scored],
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
    phrase: str = HALT_PHRASE,
) -> list[Confidence]:
    """The policy's confidence in every fragment of the responses it gave.

    token_probability: the geometric mean of the probabilities of the fragment's tokens. token_minimum: the least of
    them (Manakul et al., arXiv 2303.08896, there as Max(-log p)). halt_probability: at the position where the fragment
    begins, the probability of all tokens that end a turn plus that of the first token of the halting phrase.

    Args:
        model: the policy, see `rlhalt.models.names.resolve_model`.
        rows: scored responses.
        few_shot: the examples the responses were drawn with.
        template_args: the arguments of the chat template that they were drawn with.
        phrase: what the domain halts with.

    Returns:
        One record a row, in order; its lists have one number a fragment (NaN for a fragment without tokens).
    """
    import torch

    policy, tokenizer = load_policy(model)
    rendered = Template(tokenizer, template_args)
    halting = turn_ends(tokenizer, policy.generation_config)
    # The phrase begins a response without, and goes on after a sentence with a space before it.
    halting += [tokenizer(text, add_special_tokens=False)["input_ids"][0] for text in (phrase, f" {phrase}")]
    halting = sorted(set(halting))
    encoded = [
        fragment_tokens(tokenizer, rendered.before([*few_shot, *row.prompt], row.response), row.response, row.fragments)
        for row in rows
    ]
    # Rows of like length together: padding is computed too.
    order = sorted(range(len(rows)), key=lambda index: len(encoded[index][0]))
    found: dict[int, Confidence] = {}
    vocabulary = policy.config.get_text_config().vocab_size
    for batch in track(list(batches(order, encoded, vocabulary)), "confidence"):
        rows_ids = [encoded[index][0] for index in batch]
        longest = max(map(len, rows_ids))
        pad = tokenizer.pad_token_id
        ids_B_T = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in rows_ids], device=policy.device)
        mask_B_T = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in rows_ids]).to(policy.device)
        # Position t predicts token t + 1; everything before the first fragment is the prompt.
        first = max(1, min(first_read(encoded[index]) for index in batch))
        with torch.no_grad():
            logits_B_T_V = policy(input_ids=ids_B_T, attention_mask=mask_B_T, logits_to_keep=longest - first + 1).logits
        for row, index in enumerate(batch):
            ids, spans = encoded[index]
            # One row at a time: in float32 a batch takes gigabytes.
            log_probs_T_V = logits_B_T_V[row, : len(ids) - first].float().log_softmax(-1)
            chosen_T = log_probs_T_V.gather(-1, ids_B_T[row, first : len(ids), None])[:, 0].tolist()
            halt_T = log_probs_T_V[:, halting].exp().sum(-1).tolist()
            likely = [chosen_T[low - first : high - first] if high else [] for low, high in spans]
            found[index] = Confidence(
                key=rows[index].key,
                token_probability=[geometric_mean(one) for one in likely],
                token_minimum=[least(one) for one in likely],
                halt_probability=[min(1.0, halt_T[low - first]) if high else math.nan for low, high in spans],
            )
    return [found[index] for index in range(len(rows))]
