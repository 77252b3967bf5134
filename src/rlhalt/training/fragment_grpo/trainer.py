"""TRL's GRPOTrainer with an advantage for each token: what the decision it belongs to is worth.

Everything else is TRL's: generation, log-probabilities, loss, KL, vLLM. What is used of it that is not public is pinned
by tests/test_grpo_trainer.py: `_generate_and_score_completions` is overridden, and its result's `advantages` may have
the shape (B, T); `_generate` is overridden, the second thing that it returns are token ids, the fourth the completions,
and a completion is truncated that ends in none of `eos_token_ids` and no padding; what `_get_train_sampler` returns
draws the order of prompts from its `generator`; `_logs` holds the prompts and the columns of the last completions.
Importing this module imports TRL.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import math
from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import TrainerCallback
from trl import GRPOTrainer

from rlhalt.errors import InputError
from rlhalt.fragments import thinking
from rlhalt.records import Fragment
from rlhalt.reference import n_asked
from rlhalt.training.fragment_grpo import callbacks
from rlhalt.training.fragment_grpo.advantages import UNSEEN, Credit, Earned, advantages
from rlhalt.training.fragment_grpo.methods import GroupReward, Judged
from rlhalt.training.fragment_grpo.reward import FragmentReward, as_json, stated_in
from rlhalt.training.fragment_grpo.tokens import Credited, openings, spread, token_starts
from rlhalt.training.fragment_grpo.vllm_cpu import cpu_engine, sync_weights
from rlhalt.training.loggers import to_tensorboard

# Sums over tokens. Dividing by the length of its own response, as `grpo` does, would make short answers count more.
# Only `dr_grpo` divides by a constant. The others divide by the tokens of the batch, which moves τ where wrong
# fragments are longer than right ones (benchmarks/grpo_guards.py).
LOSSES = ("dapo", "dr_grpo", "bnpo", "cispo")
# So many samples of a step go to TensorBoard where `num_completions_to_print` says nothing.
_SAMPLES = 4


class FragmentGRPOTrainer(GRPOTrainer):  # type: ignore[misc]
    """Trains a policy on what its fragments earn.

    Args:
        model: as `GRPOTrainer` takes it.
        reward: judges responses; the dataset has a column `reference`.
        args: a `GRPOConfig`, see `check_arguments` and `check_vllm`.
        credit: how advantages are made of rewards, see `rlhalt.training.fragment_grpo.advantages.advantages`.
        alpha: of the credit `mixed`.
        credited: which tokens of a fragment have its advantage, see `rlhalt.training.fragment_grpo.tokens.Credited`.
        limits: when to stop the run; never where None.
        method: the reward of another method, one for each response, in place of what a response earns as a whole
            (`rlhalt.training.fragment_grpo.methods`); with the credits that read it, as `response`. TRL still logs the
            τ-utility as the reward.
        others: as `GRPOTrainer` takes them.

    Raises:
        InputError: settings under which advantages a token do not mean what they say, or no vLLM.
    """

    def __init__(
        self,
        model: Any,
        reward: FragmentReward,
        args: Any,
        *,
        credit: Credit = "fragment",
        alpha: float = 1.0,
        credited: Credited = "fragment",
        limits: callbacks.Limits | None = None,
        method: GroupReward | None = None,
        **others: Any,
    ) -> None:
        check_arguments(args)
        check_vllm(args)
        self._reward, self._credit, self._alpha, self._credited = reward, credit, alpha, credited
        self._method = method
        on_cpu = args.use_vllm and args.vllm_mode == "colocate" and args.device.type == "cpu"
        with cpu_engine(bf16=args.bf16) if on_cpu else contextlib.nullcontext():
            super().__init__(model=model, reward_funcs=reward, args=args, **others)
        if on_cpu:
            self.vllm_generation.sync_weights = functools.partial(sync_weights, self.vllm_generation)
        if limits is not None:
            self.add_callback(_Alarms(limits))

    def _get_train_sampler(self, *args: Any, **named: Any) -> Any:
        sampler = super()._get_train_sampler(*args, **named)
        if self.shuffle_dataset:
            self.add_callback(_OrderOfEpoch(sampler))
        return sampler

    def log(self, logs: dict[str, float], *args: Any, **named: Any) -> None:
        """Log; with `log_completions`, TensorBoard has the samples with their verdicts too."""
        super().log(logs, *args, **named)
        if self.log_completions and self.accelerator.is_main_process:
            samples = list(zip(self._logs["prompt"], self._logs["extra"].get("verdicts", ()), strict=False))
            texts = [_sample(*one) for one in samples[: self.num_completions_to_print or _SAMPLES]]
            to_tensorboard(self.callback_handler.callbacks, self.state.global_step, texts)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._rows = [dict(row) for row in inputs]
        batch: dict[str, Any] = super()._generate_and_score_completions(self._rows)
        batch["advantages"] = self._token_advantages(batch["completion_ids"], batch["completion_mask"])
        return batch

    def _generate(self, prompts: list[Any]) -> Any:
        # Judged from here on, while TRL computes log-probabilities. It hands each column to the reward: there that
        # finds what was begun.
        generated = super()._generate(prompts)
        ends = {*self.eos_token_ids, self._tokenizer.pad_token_id}
        for row, ids, completion in zip(self._rows, generated[1], generated[3], strict=True):
            row["unfinished"] = not ids or ids[-1] not in ends
            self._begin_to_judge(row, completion)
        return generated

    def _begin_to_judge(self, row: dict[str, Any], completion: Any) -> None:
        row["judged"] = self._reward.judge(completion, row["reference"], row["prompt"])

    def _token_advantages(self, ids_B_T: torch.Tensor, mask_B_T: torch.Tensor) -> torch.Tensor:
        """The advantage of each of B x T tokens; 0 for padding."""
        spelt = [
            token_starts(self.processing_class, ids[:length])
            for ids, length in zip(ids_B_T.tolist(), mask_B_T.sum(1).tolist(), strict=True)
        ]
        responses = [self._response(row, text) for row, (text, _) in zip(self._rows, spelt, strict=True)]
        found = torch.zeros(ids_B_T.shape, device=ids_B_T.device)
        for row, (one, (_, starts), (values, opened)) in enumerate(
            zip(responses, spelt, self._decided(responses), strict=True)
        ):
            shared = spread(starts, one.fragments, values, opened, one.begin, unfinished=one.unfinished)
            found[row, : len(starts)] = torch.tensor(shared)
        return found

    def _response(self, row: dict[str, Any], text: str) -> _Response:
        fragments = row["judged"].result()
        if any(text[one.start : one.end] != one.text for one in fragments):
            raise InputError(
                "expected the judged text to be that of the sampled tokens; a tokenizer with a response_template "
                "is not supported",
                field="model_name_or_path",
            )
        begin = thinking.split(self._reward.opening + text)[1] - len(self._reward.opening)
        asked, threshold = n_asked(as_json(row["reference"])), stated_in(row["prompt"])
        return _Response(fragments, asked, threshold, row["unfinished"], begin, len(text))

    def _decided(self, responses: Sequence[_Response]) -> list[tuple[list[float], list[int] | None]]:
        """The advantages and the openings of this process's responses; a group may lie on several processes."""
        mode = "train" if self.model.training else "eval"
        size = self.num_generations if mode == "train" else self.num_generations_eval
        everywhere: list[_Response] = gather_object(list(responses))
        groups = [everywhere[start : start + size] for start in range(0, len(everywhere), size)]
        found: list[tuple[list[float], list[int] | None]] = []
        empty = 0
        for group in groups:
            earned = [
                UNSEEN
                if one.unseen
                else self._reward.earned(one.fragments, one.asked, unfinished=one.unfinished, threshold=one.threshold)
                for one in group
            ]
            said = [one.fragments[:-1] if one.unfinished else one.fragments for one in group]
            if self._method is not None:
                earned = self._paid(group, said, earned)
            values = advantages(earned, self._credit, self._alpha)
            opened = openings(said, self._reward.scorer.phrase) if self._credited == "opening" else [None] * size
            empty += not any(value for row in values for value in row)
            found += zip(values, opened, strict=True)
        self._metrics[mode]["groups/empty"].append(empty / len(groups))
        first = self.accelerator.process_index * len(responses)
        return found[first : first + len(responses)]

    def _paid(
        self, group: Sequence[_Response], said: Sequence[Sequence[Fragment]], earned: Sequence[Earned]
    ) -> list[Earned]:
        """What a group earned, with the rewards of another method as totals; a cut-off response has its price alone."""
        assert self._method is not None
        pay = self._reward.pay
        seen = [at for at, one in enumerate(group) if not one.unseen and not one.unfinished]
        judged = [Judged(said[at], group[at].threshold or pay.threshold) for at in seen]
        paid = dict(zip(seen, self._method(judged), strict=True))
        return [
            its if one.unseen else dataclasses.replace(its, total=paid.get(at, pay.unfinished))
            for at, (one, its) in enumerate(zip(group, earned, strict=True))
        ]


def _sample(prompt: Any, verdicts: str) -> str:
    """A question and its judged answer, in Markdown."""
    asked = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    return "\n".join([f"**{asked}**", "", *(f"- {line}" for line in verdicts.splitlines())])


@dataclasses.dataclass(frozen=True)
class _Response:
    """A judged response: how many facts were asked for, at which τ where its prompt states one, whether it was cut off,
    where its answer begins, its length.
    """

    fragments: Sequence[Fragment]
    asked: int | None
    threshold: float | None
    unfinished: bool
    begin: int
    length: int

    @property
    def unseen(self) -> bool:
        """Whether it was cut off in its reasoning: it has made no decision that is trained."""
        return self.unfinished and 0 < self.begin == self.length


class _OrderOfEpoch(TrainerCallback):  # type: ignore[misc]
    """Has the prompts of an epoch in an order of its own, in a run that goes on too.

    TRL draws one order after another from a generator that no checkpoint keeps: whoever goes on in the second epoch
    would be given the prompts of the first anew, and never those that were still to come.
    """

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._sampler.generator.manual_seed(args.seed + int(state.epoch))


class _Alarms(TrainerCallback):  # type: ignore[misc]
    def __init__(self, limits: callbacks.Limits) -> None:
        self._limits = limits

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        callbacks.check(state.log_history, self._limits)


def check_arguments(args: Any) -> None:
    """See that a `GRPOConfig` leaves advantages a token their meaning, and checkpoints that can be gone on from.

    Raises:
        InputError: naming the key, and what it must be.
    """
    wanted: list[tuple[str, bool, str]] = [
        ("scale_rewards", args.scale_rewards == "none", "none: dividing by a standard deviation moves the threshold"),
        (
            "mask_truncated_completions",
            not args.mask_truncated_completions,
            "false: a cut-off response has the price `unfinished`; under a mask a policy loses nothing by not ending",
        ),
        ("disable_dropout", args.disable_dropout, "true: tokens are drawn without dropout, and must be trained so"),
        ("loss_type", args.loss_type in LOSSES, f"{', '.join(LOSSES)}: the others weigh tokens by their response"),
        ("importance_sampling_level", args.importance_sampling_level == "token", "token: there is one advantage each"),
        (
            "off_policy_mask_threshold",
            args.off_policy_mask_threshold is None,
            "none: it needs one advantage a response",
        ),
        ("top_entropy_quantile", args.top_entropy_quantile == 1.0, "1.0: every token of a decision is trained"),
        ("entropy_coef", args.entropy_coef == 0.0, "0.0: a bonus for entropy draws every decision towards 1/2"),
        ("use_adaptive_entropy", not args.use_adaptive_entropy, "false: a bonus for entropy draws decisions to 1/2"),
        (
            "use_bias_correction_kl",
            args.use_bias_correction_kl or not args.beta,
            "true: without it the gradient is that of the forward KL, which leaves holes of the verifier open",
        ),
    ]
    for key, well, what in wanted:
        if not well:
            raise InputError(f"expected {what}; found {getattr(args, key)!r}", field=key)
    accumulated = args.gradient_accumulation_steps
    served = math.lcm(args.steps_per_generation * args.num_iterations, accumulated) // accumulated
    if args.save_strategy == "steps" and served > 1 and args.save_steps % served:
        raise InputError(
            f"expected a multiple of {served}, the steps that are made of one generation: checkpoints do not keep what "
            f"was generated, and a run could not go on amid it; found {args.save_steps}",
            field="save_steps",
        )


def stop_vllm(args: Any, ends: Sequence[int]) -> None:
    """Have vLLM stop at every end of a turn; by itself it reads the model's generation configuration alone.

    Args:
        args: a `GRPOConfig`.
        ends: see `rlhalt.chat.templates.turn_ends`.
    """
    if args.use_vllm:
        args.generation_kwargs = {"stop_token_ids": list(ends), **(args.generation_kwargs or {})}


def check_vllm(args: Any) -> None:
    """See that the vLLM that a `GRPOConfig` asks for can be had here.

    Raises:
        InputError: it is not installed, or a server would have to be given weights by a CPU.
    """
    if not args.use_vllm:
        return
    if args.vllm_mode == "server" and args.device.type == "cpu":
        raise InputError(
            "expected colocate on a CPU, found 'server': new weights go to a server over NCCL, from GPU to GPU",
            field="vllm_mode",
        )
    if not importlib.util.find_spec("vllm"):
        raise InputError("vLLM is not installed here: pip install 'rlhalt[vllm]', or use_vllm: false", field="use_vllm")
