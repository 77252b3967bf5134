"""The probability that a model begins its answer with one of some letters, in one pass a chat."""

from __future__ import annotations

from collections.abc import Sequence

from rlhalt.chat.templates import Template
from rlhalt.models.names import load_policy
from rlhalt.records import Json, Message
from rlhalt.running.progress import track
from rlhalt.uncertainty.batches import batches


def first_tokens(
    model: str, chats: Sequence[Sequence[Message]], texts: Sequence[Sequence[str]], template_args: Json | None = None
) -> list[list[float]]:
    """For each chat the probability of each of its texts as the next token; a space may stand before it.

    Args:
        model: see `rlhalt.models.names.resolve_model`.
        chats: each ends where the assistant speaks, or continues what it said.
        texts: of each chat, what the answer may begin with: texts of one token each, letters say.
    """
    import torch

    if not chats:
        return []
    policy, tokenizer = load_policy(model)
    template = Template(tokenizer, template_args)
    encoded = [template.encode(chat) for chat in chats]
    known: dict[str, list[int]] = {}
    for one in {text for its in texts for text in its}:
        ids = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (one, f" {one}"))
        # The last token: some tokenizers write the space before a text as a token of its own.
        known[one] = sorted({its[-1] for its in ids})
    found: dict[int, list[float]] = {}
    order = sorted(range(len(chats)), key=lambda index: len(encoded[index]))
    spans = [(ids, [(len(ids) - 1, len(ids))]) for ids in encoded]
    for batch in track(list(batches(order, spans, policy.config.get_text_config().vocab_size)), "asked"):
        rows_ids = [encoded[index] for index in batch]
        shortest, longest = min(map(len, rows_ids)), max(map(len, rows_ids))
        pad = tokenizer.pad_token_id
        ids_B_T = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in rows_ids], device=policy.device)
        mask_B_T = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in rows_ids]).to(policy.device)
        with torch.no_grad():
            logits_B_T_V = policy(
                input_ids=ids_B_T, attention_mask=mask_B_T, logits_to_keep=longest - shortest + 1
            ).logits
        for row, index in enumerate(batch):
            last_V = logits_B_T_V[row, len(rows_ids[row]) - shortest].float().softmax(-1)
            found[index] = [float(last_V[known[text]].sum()) for text in texts[index]]
    return [found[index] for index in range(len(chats))]
