"""Responses that were drawn once, trained on as if they had just been drawn: offline policy gradients."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rlhalt.records import Json, Message, Response, Scored, content_key
from rlhalt.training.fragment_grpo.trainer import FragmentGRPOTrainer


class Replay:
    """Gives a trainer recorded responses in place of new ones, as TRL's `rollout_func`.

    Each time a prompt is asked it gives the next of its responses, and after the last the first again.
    """

    def __init__(self, tokenizer: Any, recorded: Iterable[Response | Scored]) -> None:
        self._ids: dict[str, list[list[int]]] = collections.defaultdict(list)
        self._given: collections.Counter[str] = collections.Counter()
        for row in recorded:
            ids = tokenizer(row.response, add_special_tokens=False)["input_ids"]
            ends = row.finish_reason == "stop"
            self._ids[content_key(row.prompt)].append([*ids, tokenizer.eos_token_id] if ends else ids)

    def __call__(self, prompts: Sequence[list[Message]], trainer: Any) -> Mapping[str, Any]:
        """A response to each of these prompts; one that is there several times is given several of its own."""
        found = []
        for prompt in prompts:
            key = content_key(prompt)
            found.append(self._ids[key][self._given[key] % len(self._ids[key])])
            self._given[key] += 1
        return {"prompt_ids": trainer._tokenize_prompts(prompts)[0], "completion_ids": found, "logprobs": None}


class OfflineTrainer(FragmentGRPOTrainer):
    """Weighs each token by π / π_start; so it needs the reference, a KL penalty (`beta`) above 0."""

    def _generate_and_score_completions(self, inputs: list[Json]) -> Json:
        batch: Json = super()._generate_and_score_completions(inputs)
        batch["old_per_token_logps"] = batch["ref_per_token_logps"]
        return batch
