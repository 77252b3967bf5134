"""TRL's DPOTrainer, given trees: what the sides of a pair share is computed once.

The loss is TRL's, with all its options: `Shared` stands in the model's place, runs it over the trees, and hands TRL the
log-probabilities of the sides as if they had been computed one by one.

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

from rlhalt.errors import InputError
from rlhalt.models import cache_folder
from rlhalt.records import content_key
from rlhalt.training.setup import scoring_only_completions
from rlhalt.training.shared.collator import SharedCollator, sides
from rlhalt.training.shared.layout import UNSCORED
from rlhalt.training.shared.reference import References

FALLBACK = "train with TRL's own DPOTrainer (shared: false)"
# Losses of TRL that read nothing but the difference between the sides: what both share cancels.
_OF_DIFFERENCES = {"sigmoid", "hinge", "robust", "exo_pair", "discopop"}


class Shared:
    """Stands for a model in TRL's loss: called with a batch of `SharedCollator`, it answers for each side by itself."""

    def __init__(self, model: Any, config: PreTrainedConfig) -> None:
        self._model = model
        self._additive = config._attn_implementation == "eager"

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
        """The outputs of the fused head, (2D, T - 1) each: what TRL would read off the sides in a batch of its own."""
        seen: torch.Tensor = sees(tree_ends)
        if self._additive:
            seen = torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, torch.finfo(torch.float32).min)
        with scoring_only_completions():
            found = self._model(
                input_ids=tree_ids,
                attention_mask=seen,
                position_ids=tree_positions,
                shift_labels=tree_labels,
                **kwargs,
            )
        unscored = labels[:, 1:] == UNSCORED
        views = {
            name: value.flatten()[places].masked_fill(unscored, 0)
            for name, value in found.items()
            if name != "loss" and value is not None
        }
        return type(found)(**views)


def sees(ends_R_L: torch.Tensor) -> torch.Tensor:
    """What each token of the trees sees, (R, 1, L, L) of bool: the tokens whose subtree it stands in."""
    index = torch.arange(ends_R_L.size(1), device=ends_R_L.device)
    return ((index[None, :] <= index[:, None]) & (index[:, None] < ends_R_L[:, None, :]))[:, None]


class SharedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPO on pairs or on trees of decisions (`rlhalt.training.shared.collator` shows both).

    On pairs loss and gradients are those of TRL's DPOTrainer, with whatever of its options. A batch of trees has the
    loss `Σ w · -log σ(β · margin) / trees`. Reference values are computed beforehand with
    `precompute_ref_log_probs: true` and kept under `rlhalt.models.cache_folder`, else at every step.

    Raises:
        InputError: a model whose attention cannot take a tree, also where only its first batch shows it; weighted
            decisions with another loss than sigmoid.
    """

    precompute_ref_logps: bool
    _total_train_tokens: int
    _signature_columns: list[str]
    _checked = False

    def __init__(self, model: Any, args: Any, train_dataset: Any, **rest: Any) -> None:
        reads_difference = args.f_divergence_type == "reverse_kl" and not args.use_weighting
        weighted = "decisions" in next(iter(train_dataset))
        if weighted and (args.loss_type != ["sigmoid"] or args.ld_alpha is not None or not reads_difference):
            raise InputError(
                "expected loss_type sigmoid alone, of which decisions have a weighted one", field="loss_type"
            )
        collator = SharedCollator(
            # Never seen: what pads is masked wherever it stands.
            pad_token_id=0,
            max_length=args.max_length,
            truncation_mode=args.truncation_mode,
            width=model.config.get_text_config().hidden_size,
            whole=not (reads_difference and set(args.loss_type) <= _OF_DIFFERENCES),
        )
        super().__init__(model=model, args=args, train_dataset=train_dataset, data_collator=collator, **rest)

    def _prepare_dataset(self, dataset: Any, *args: Any) -> Any:
        return dataset if "decisions" in next(iter(dataset)) else super()._prepare_dataset(dataset, *args)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        self._signature_columns = [*{*self._signature_columns, "trunk_ids", "branches", "decisions"}]

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        identity = content_key(
            self._precompute_model_hash, self.accelerator.mixed_precision, repr(self.data_collator), self.ld_alpha
        )
        keys, counts = [], []
        for row in dataset:
            pairs = sides(row)
            keys.append(content_key(identity, pairs))
            counts.append(len(pairs))
        kept = References(cache_folder() / "reference.sqlite")
        known = [kept.read(keys) if self.accelerator.is_main_process else {}]
        broadcast_object_list(known, from_process=0)
        values = known[0]
        missing = {key: number for number, key in enumerate(keys) if key not in values}
        if missing:
            self.data_collator.slots = max(counts[number] for number in missing.values())
            # TRL keeps a file by this fingerprint; the keys tell all that the values depend on.
            part = dataset.select(list(missing.values()), new_fingerprint=content_key(list(missing)))
            part = super()._precompute_ref_logps(part, name, batch_size)
            self.data_collator.slots = None
            found = {}
            for (key, number), row in zip(missing.items(), part, strict=True):
                found[key] = (row["ref_chosen_logps"][: counts[number]], row["ref_rejected_logps"][: counts[number]])
            values.update(found)
            if self.accelerator.is_main_process:
                kept.write(found)
        kept.close()
        for column, side in (("ref_chosen_logps", 0), ("ref_rejected_logps", 1)):
            dataset = dataset.add_column(column, [values[key][side] for key in keys])
        return dataset

    def compute_ref_log_probs(self, model: Any, inputs: dict[str, Any]) -> Any:
        """The reference's log-probabilities of both sides, (D,) each; (rows, slots) while they are precomputed."""
        inputs = dict(inputs)
        inputs.pop("weights", None)
        slots = inputs.pop("slots", None)
        self._check(model, inputs)
        found = super().compute_ref_log_probs(Shared(model, self.model.config), inputs)
        return found if slots is None else tuple(side[slots] for side in found)

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        inputs = dict(inputs)
        weights = inputs.pop("weights", None)
        self._check(model, inputs)
        if "ref_chosen_logps" not in inputs:
            reference = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
            inputs["ref_chosen_logps"], inputs["ref_rejected_logps"] = reference
        if weights is not None:
            return self._weighted(model, inputs, weights)
        # Wherever they come from, the reference values are in the batch now.
        precomputed, self.precompute_ref_logps = self.precompute_ref_logps, True
        loss = super()._compute_loss(Shared(model, self.model.config), inputs, return_outputs)
        self.precompute_ref_logps = precomputed
        return loss

    def _weighted(self, model: Any, inputs: dict[str, Any], weights_D: torch.Tensor) -> torch.Tensor:
        # TRL's loss knows no weights, and what it logs it gathers from processes that have as many pairs each.
        chosen, rejected = self._ask(model, inputs).sum(dim=1).chunk(2)
        margins = self.beta * (chosen - inputs["ref_chosen_logps"] - rejected + inputs["ref_rejected_logps"])
        metrics = self._metrics["train" if self.model.training else "eval"]
        for name, value_D in (("margins", margins.detach()), ("accuracies", (margins > 0).float())):
            metrics[f"rewards/{name}"].append(self.accelerator.gather(value_D.mean()).mean().item())
        if self.model.training:
            self._total_train_tokens += self.accelerator.gather(inputs["attention_mask"].sum()).sum().item()
        metrics["num_tokens"] = [self._total_train_tokens]
        return -(weights_D * torch.nn.functional.logsigmoid(margins)).sum()

    def _ask(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """The log-probabilities of a batch, (2D, T - 1)."""
        labels = inputs["input_ids"].masked_fill(inputs["completion_mask"] == 0, UNSCORED)
        unread = ("completion_mask", "ref_chosen_logps", "ref_rejected_logps")
        kwargs = {name: value for name, value in inputs.items() if name not in unread}
        found = Shared(model, self.model.config)(**kwargs, labels=labels, fused_lm_head=True, use_cache=False)
        log_probs: torch.Tensor = found.log_probs
        return log_probs

    def _check(self, model: Any, inputs: dict[str, Any]) -> None:
        """See on the first batch that the model answers for a tree what it answers for its sides one by one."""
        if self._checked:
            return
        self._checked = True
        check_attention(self.model.config)
        if self.aux_loss_enabled:
            raise InputError(f"expected no auxiliary loss of experts, which counts whole rows; {FALLBACK}")
        training = self.model.training
        self.model.eval()
        with torch.no_grad(), self.accelerator.autocast():
            shared = self._ask(model, inputs)
            worst = 0.0
            # As many calls on every process: with ZeRO-3 they wait for each other.
            for row in (0, len(shared) // 2 - 1, len(shared) // 2, len(shared) - 1):
                ids, count = _sequence(inputs, row)
                scored = torch.cat([torch.full_like(ids[: len(ids) - count], UNSCORED), ids[len(ids) - count :]])
                with scoring_only_completions():
                    alone = model(input_ids=ids[None], labels=scored[None], fused_lm_head=True).log_probs[0]
                off = alone[len(alone) - count :] - shared[row, :count]
                worst = max([worst, *(off.abs() / (1 + shared[row, :count].abs())).tolist()])
        self.model.train(training)
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.accelerator.mixed_precision, self.model.dtype)
        if not worst <= 3 * torch.finfo(low).eps ** 0.5:
            raise InputError(
                f"expected a model that computes a tree of answers as it computes each, found log-probabilities that "
                f"differ by {worst:.2g}: its attention does not take the mask; {FALLBACK}"
            )


def _sequence(inputs: dict[str, Any], row: int) -> tuple[torch.Tensor, int]:
    """The ids of one side as the tree holds them, and how many of its last tokens are scored."""
    count = int(inputs["completion_mask"][row, 1:].sum())
    line, leaf = divmod(int(inputs["places"][row, max(count - 1, 0)]), inputs["tree_ids"].size(1))
    seen = sees(inputs["tree_ends"][line : line + 1])[0, 0, leaf]
    last = inputs["tree_labels"][line, leaf : leaf + 1].clamp(min=0)
    return torch.cat([inputs["tree_ids"][line][seen], last]), count


def check_attention(config: PreTrainedConfig) -> None:
    """See that a model's attention takes a mask of what each token sees.

    Raises:
        InputError: it does not, naming what to do instead.
    """
    text = config.get_text_config()
    if config._attn_implementation not in ("sdpa", "eager"):
        raise InputError(
            f"expected attention that takes a mask (sdpa or eager), found {config._attn_implementation}; {FALLBACK}",
            field="attn_implementation",
        )
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    # The first batch may be shorter than the window: what a window cuts off would show only later.
    if kinds != {"full_attention"} or getattr(text, "sliding_window", None):
        raise InputError(f"expected full attention in all layers, found {', '.join(sorted(kinds))}; {FALLBACK}")
