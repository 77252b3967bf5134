"""Sampling with transformers, batched; few-shot examples that all prompts share are computed once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rlhalt.chat.plain import STOP, completes
from rlhalt.chat.templates import Template, turn_ends
from rlhalt.chat.token_spans import common_prefix
from rlhalt.models.names import load_policy
from rlhalt.records import Json, Message
from rlhalt.sampling import Completion, completed
from rlhalt.sampling.grouped_attention import use_grouped_attention

if TYPE_CHECKING:
    import torch

    Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """The tokens so far and the logits of the next one → logits in their place: B × T and B × V → B × V."""
    Begin = Callable[[torch.Tensor], Step]
    """The attention mask of a batch's prompts, B × T → its step."""


class TransformersEngine:
    """An `Engine` on `model.generate`, on a GPU where there is one, in `rlhalt.models.precision.inference_dtype`.

    Attributes:
        model: the model; tokenizer: its tokenizer. Decodings read them, see `rlhalt.decoding`.
    """

    def __init__(self, model: str, template_args: Json | None = None) -> None:
        self.model, self.tokenizer = load_policy(model)
        self._template = Template(self.tokenizer, template_args)
        self._ends = turn_ends(self.tokenizer, self.model.generation_config)
        if self.model.device.type == "cpu":
            use_grouped_attention(self.model)
        self._shared: tuple[tuple[int, ...], Any] | None = None
        self._stops: list[Any] | None = None
        if completes(self.tokenizer):
            from transformers import StopStringCriteria

            # Made once: it reads the whole vocabulary, 5 seconds with Gemma's.
            self._stops = [StopStringCriteria(self.tokenizer, STOP)]

    def complete(
        self,
        chats: Sequence[Sequence[Message]],
        *,
        temperature: float,
        max_tokens: int,
        seed: int,
        begin: Begin | None = None,
        alike: int = 1,
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`.

        Args:
            begin: what changes the logits of each step before a token is chosen; called once, right before the first.
            alike: so many chats in a row share their draws, which are equal where their logits are.
        """
        ids_B_T = [self._template.encode(chat) for chat in chats]
        shared = _common_prefix(ids_B_T) if self._all_in_window(max(map(len, ids_B_T)) + max_tokens) else 0
        inputs = self._padded(ids_B_T, shared)
        cache = None
        if shared >= 32:
            cache = self._prefix_cache(tuple(ids_B_T[0][:shared]))
            cache.batch_repeat_interleave(len(chats))
        processors = [begin(inputs["attention_mask"])] if begin is not None else []
        if temperature > 0:
            processors.append(_draw(temperature, seed, alike))
        output = self.model.generate(
            **inputs,
            past_key_values=cache,
            max_new_tokens=max_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self._ends,
            do_sample=False,
            logits_processor=processors,
            stopping_criteria=self._stops,
        )
        said = output[:, inputs["input_ids"].shape[1] :].tolist()
        return [
            completed(self.tokenizer, self._ends, ids, self._template.opens(chat))
            for chat, ids in zip(chats, said, strict=True)
        ]

    def _all_in_window(self, length: int) -> bool:
        """Whether every token of a row sees all before it: a window counts columns, those of padding too."""
        window = getattr(self.model.config.get_text_config(), "sliding_window", None)
        return window is None or length <= window

    def _padded(self, ids_B_T: list[list[int]], shared: int) -> dict[str, torch.Tensor]:
        """Rows of equal length, padded between the shared prefix and the rest, so that the prefix is a column block."""
        import torch

        longest = max(map(len, ids_B_T))
        pad = self.tokenizer.pad_token_id
        rows = [ids[:shared] + [pad] * (longest - len(ids)) + ids[shared:] for ids in ids_B_T]
        mask = [[1] * shared + [0] * (longest - len(ids)) + [1] * (len(ids) - shared) for ids in ids_B_T]
        device = self.model.device
        return {
            "input_ids": torch.tensor(rows, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }

    def _prefix_cache(self, prefix: tuple[int, ...]) -> Any:
        import torch

        if self._shared is None or self._shared[0] != prefix:
            with torch.no_grad():
                out = self.model(torch.tensor([prefix], device=self.model.device), use_cache=True)
            self._shared = (prefix, out.past_key_values)
        return copy.deepcopy(self._shared[1])


def _draw(temperature: float, seed: int, alike: int = 1) -> Step:
    """A logits processor that samples: it leaves the drawn token as the only possible one, for greedy search to take.

    One uniform number a row and the inverse of the distribution function; `do_sample` draws a number for every entry of
    the vocabulary, which on a CPU takes longer than a small model's forward pass. `alike` rows share a number.
    """
    import torch

    generator: torch.Generator | None = None

    def process(ids_B_T: torch.Tensor, logits_B_V: torch.Tensor) -> torch.Tensor:
        nonlocal generator
        if generator is None:
            generator = torch.Generator(logits_B_V.device).manual_seed(seed)
        cumulated = (logits_B_V / temperature).softmax(-1).cumsum(-1)
        uniform = torch.rand((len(logits_B_V) // alike, 1), device=logits_B_V.device, generator=generator)
        uniform = uniform.repeat_interleave(alike, dim=0)
        drawn = torch.searchsorted(cumulated, uniform * cumulated[:, -1:]).clamp(max=logits_B_V.shape[-1] - 1)
        return torch.full_like(logits_B_V, -torch.inf).scatter_(1, drawn, 0.0)

    return process


def _common_prefix(ids_B_T: Sequence[Sequence[int]]) -> int:
    """How many tokens all rows begin with; at least one token of every row is left over."""
    return min(min(common_prefix(ids_B_T[0], ids), len(ids) - 1) for ids in ids_B_T)
