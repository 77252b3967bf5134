"""ICD, induce-then-contrast (Zhang et al., arXiv 2312.15710): the model in contrast to one that was tuned to be wrong.

    F = log p(x | before; θ) - log p(x | before; θ_wrong) where p(x; θ) ≥ α max p, else -∞;  softmax(F), α = 0.1

The second model is what fine-tuning on wrong answers makes of the first one, so that what both agree on cancels out and
what it was taught to hallucinate is avoided. The paper's authors have a language model write wrong answers; here the
rejected sides of pairs are there, which the model said itself (docs/methods.md has the commands). β, the weight of the
first model, is 1 as in their code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlhalt.decoding.setup import Setup
from rlhalt.decoding.steps import Stepwise, contrast
from rlhalt.errors import InputError
from rlhalt.models.names import load_policy
from rlhalt.sampling.grouped_attention import use_grouped_attention

if TYPE_CHECKING:
    import torch

    from rlhalt.sampling.local import Step, TransformersEngine


def engine(inner: TransformersEngine, setup: Setup) -> Stepwise:
    """The engine of ICD.

    Raises:
        InputError: the second model has another vocabulary.
    """
    wrong, tokenizer = load_policy(setup.how.against)
    if tokenizer.get_vocab() != inner.tokenizer.get_vocab():
        raise InputError(
            "expected a model with the vocabulary of the first one, found another one; fine-tune the model itself on "
            "wrong answers",
            path=setup.how.against,
            field="--decode-against",
        )
    if wrong.device.type == "cpu":
        use_grouped_attention(wrong)

    def begin(mask_B_T: torch.Tensor) -> Step:
        beside = Beside(wrong, mask_B_T)

        def step(ids_B_T: torch.Tensor, logits_B_V: torch.Tensor) -> torch.Tensor:
            return contrast(logits_B_V.log_softmax(-1), beside(ids_B_T).log_softmax(-1))

        return step

    return Stepwise(inner, begin)


class Beside:
    """A second model that reads along while another one generates: the logits of its next token, B × V."""

    def __init__(self, model: Any, mask_B_T: torch.Tensor) -> None:
        self._model, self._mask, self._cache = model, mask_B_T, None

    def __call__(self, ids_B_T: torch.Tensor) -> torch.Tensor:
        """The logits behind these tokens; each call has one token a row more than the one before."""
        import torch

        read = ids_B_T if self._cache is None else ids_B_T[:, -1:]
        if self._cache is not None:
            self._mask = torch.cat([self._mask, self._mask.new_ones((len(read), 1))], dim=1)
        # Padding stands within a row, and takes no position.
        positions = (self._mask.cumsum(-1) - 1).clamp(min=0)[:, -read.shape[1] :]
        out = self._model(
            input_ids=read, attention_mask=self._mask, position_ids=positions, past_key_values=self._cache,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        self._cache = out.past_key_values
        logits: torch.Tensor = out.logits[:, -1].float()
        return logits
