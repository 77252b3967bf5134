"""TRL's DPOTrainer, given trees: what the sides of a pair share is computed once.

The loss is TRL's, with all its options: `Shared` stands in the model's place, runs it over the trees, and hands TRL the
log-probabilities of the sides as if they had been computed one by one.

A pair may have masks, which say what of its sides the loss counts (Mask-DPO, arXiv 2503.02846), and a margin, by which
the chosen side's log-ratio counts less (F-DPO, arXiv 2601.03027). The margin is added to the reference's value of that
side, so that it reaches every loss of TRL, and the logged rewards with it.

An anchor keeps what both sides say as likely as it is: DPO alone lowers a wrong side's words without limit, and the
loss is then content before the decision to speak has reached τ (docs/pairs.md). TRL's loss `sft` is that of the chosen
side alone.

Where the loss reads nothing but the difference between the sides (`sigmoid` and its like), the tokens that both begin
with are not scored: they cancel. Entropy, accuracy, logits and the log-probabilities and rewards of one side are then
logged over the tokens that differ; loss, margins, accuracies of rewards and the gradient are what they were.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedConfig
from trl import DPOTrainer

from rlhalt.embedded import cache_folder
from rlhalt.errors import InputError
from rlhalt.records import content_key
from rlhalt.training.prefix_sharing.attention import check_trees, over_trees
from rlhalt.training.prefix_sharing.collator import MASKS, SharedCollator
from rlhalt.training.prefix_sharing.layout import UNSCORED
from rlhalt.training.prefix_sharing.reference import References

FALLBACK = "train with TRL's own DPOTrainer (shared: false)"
# Losses of TRL that read nothing but the difference between the sides: what both share cancels.
_OF_DIFFERENCES = {"sigmoid", "hinge", "robust", "exo_pair", "discopop"}


class Shared:
    """Stands for a model in TRL's loss: called with a batch of `SharedCollator`, it answers for each side by itself."""

    def __init__(self, model: Any, config: PreTrainedConfig) -> None:
        self._model = model
        self._config = config
        self.likely_D: torch.Tensor | None = None

    def __call__(
        self,
        *,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        labels: torch.Tensor,
        places: torch.Tensor,
        tree_ids: torch.Tensor,
        tree_positions: torch.Tensor,
        tree_ends: torch.Tensor,
        tree_labels: torch.Tensor,
        **kwargs: Any,
    ) -> Any:
        """The outputs of the fused head, (2D, T - 1) each: what TRL would read off the sides in a batch of its own.

        `likely_D` is afterwards the mean log-probability of the scored tokens of both sides of each of D pairs.
        """
        found = over_trees(self._model, self._config, tree_ids, tree_positions, tree_ends, tree_labels, **kwargs)
        unscored = labels[:, 1:] == UNSCORED
        views = {
            name: value.flatten()[places].masked_fill(unscored, 0)
            for name, value in found.items()
            if name != "loss" and value is not None
        }
        chosen, rejected = views["log_probs"].sum(dim=1).chunk(2)
        counted, also = (~unscored).sum(dim=1).chunk(2)
        self.likely_D = (chosen + rejected) / (counted + also).clamp(min=1)
        return type(found)(**views)


class SharedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPO with the losses and gradients of TRL's DPOTrainer, with whatever of its options.

    Reference values are computed beforehand with `precompute_ref_log_probs: true` and kept under
    `rlhalt.embedded.cache_folder`, else at every step.

    Args:
        whole: score whole sides also where what both begin with cancels, for who reads the reference values.
        anchor: weight of the mean of -log π over the tokens of both sides in which they differ.

    Raises:
        InputError: an anchor where whole sides are scored; a model whose attention cannot take a tree, also where only
            its first batch shows it.
    """

    precompute_ref_logps: bool
    _signature_columns: Any
    _checked = False

    def __init__(
        self, model: Any, args: Any, train_dataset: Any, whole: bool = False, anchor: float = 0.0, **rest: Any
    ) -> None:
        self._anchor = anchor
        reads_difference = args.f_divergence_type == "reverse_kl" and not args.use_weighting
        collator = SharedCollator(
            # Never seen: what pads is masked wherever it stands.
            pad_token_id=0,
            max_length=args.max_length,
            truncation_mode=args.truncation_mode,
            width=model.config.get_text_config().hidden_size,
            # Masks may count what both begin with on one side alone, so that it does not cancel.
            whole=not (reads_difference and set(args.loss_type) <= _OF_DIFFERENCES)
            or whole
            or MASKS[0] in train_dataset.column_names,
        )
        if anchor and collator.whole:
            raise InputError(
                f"expected 0 where whole sides are scored (masks, a second reference, a loss other than "
                f"{', '.join(sorted(_OF_DIFFERENCES))}): it is of the words in which they differ, found {anchor:g}",
                field="anchor",
            )
        super().__init__(model=model, args=args, train_dataset=train_dataset, data_collator=collator, **rest)

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        identity = content_key(
            self._precompute_model_hash, self.accelerator.mixed_precision, repr(self.data_collator), self.ld_alpha
        )
        sides = ["prompt_ids", "chosen_ids", "rejected_ids"]
        sides += [name for name in MASKS if name in dataset.column_names]
        keys = [content_key(identity, [row[side] for side in sides]) for row in dataset]
        kept = References(cache_folder() / "reference.sqlite")
        known = [kept.read(keys) if self.accelerator.is_main_process else {}]
        broadcast_object_list(known, from_process=0)
        values = known[0]
        missing = {key: number for number, key in enumerate(keys) if key not in values}
        if missing:
            # TRL keeps a file by this fingerprint; the keys tell all that the values depend on.
            part = dataset.select(list(missing.values()), new_fingerprint=content_key(list(missing)))
            try:
                part = super()._precompute_ref_logps(part, name, batch_size)
            except FileNotFoundError as error:
                # One process writes what all others read.
                raise InputError(
                    "expected the reference values that the first process wrote, found none; give RLHALT_CACHE a "
                    "folder that all nodes share",
                    path=error.filename,
                    field="precompute_ref_log_probs",
                ) from None
            found = {
                key: (row["ref_chosen_logps"], row["ref_rejected_logps"])
                for key, row in zip(missing, part, strict=True)
            }
            values.update(found)
            if self.accelerator.is_main_process:
                kept.write(found)
        kept.close()
        for column, side in (("ref_chosen_logps", 0), ("ref_rejected_logps", 1)):
            dataset = dataset.add_column(column, [values[key][side] for key in keys])
        return dataset

    def _set_signature_columns_if_needed(self) -> None:
        if self._signature_columns is None:
            super()._set_signature_columns_if_needed()
            self._signature_columns = [*(self._signature_columns or ()), "margin", *MASKS]

    def compute_ref_log_probs(self, model: Any, inputs: dict[str, Any]) -> Any:
        """The reference's log-probabilities of both sides, (D,) each."""
        inputs = {name: one for name, one in inputs.items() if name != "margin"}
        self._check(model, inputs)
        return super().compute_ref_log_probs(Shared(model, self.model.config), inputs)

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        inputs = dict(inputs)
        margin = inputs.pop("margin", None)
        self._check(model, inputs)
        if "ref_chosen_logps" not in inputs:
            reference = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
            inputs["ref_chosen_logps"], inputs["ref_rejected_logps"] = reference
        if margin is not None:
            # -log σ(β (m - margin)): the loss reads the reference in this difference alone.
            inputs["ref_chosen_logps"] = inputs["ref_chosen_logps"] + margin
        # Wherever they come from, the reference values are in the batch now.
        precomputed, self.precompute_ref_logps = self.precompute_ref_logps, True
        shared = Shared(model, self.model.config)
        found = super()._compute_loss(shared, inputs, return_outputs)
        self.precompute_ref_logps = precomputed
        if not self._anchor:
            return found
        assert shared.likely_D is not None
        anchored = -self._anchor * shared.likely_D.mean()
        return (found[0] + anchored, found[1]) if return_outputs else found + anchored

    def _check(self, model: Any, inputs: dict[str, Any]) -> None:
        if self._checked:
            return
        self._checked = True
        if self.aux_loss_enabled:
            raise InputError(f"expected no auxiliary loss of experts, which counts whole rows; {FALLBACK}")
        sides = len(inputs["places"])
        counts = inputs["completion_mask"][:, 1:].sum(dim=1).clamp(min=1)
        # As many calls on every process: with ZeRO-3 they wait for each other.
        leaves = [int(inputs["places"][row, counts[row] - 1]) for row in (0, sides // 2 - 1, sides // 2, sides - 1)]
        trees = {name: one for name, one in inputs.items() if name.startswith("tree_")}
        with self.accelerator.autocast():
            check_trees(model, self.model.config, self.accelerator.mixed_precision, trees, leaves, FALLBACK)
