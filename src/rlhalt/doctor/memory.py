"""What each device would have to hold, estimated before anything is loaded.

Weights are float32, as `rlhalt.training.setup.load_trainable` loads them: P parameters, of which T are trained, take

    weights 4 P + gradients 4 T + AdamW's two moments 8 T           bytes

With ZeRO-2 the last two are divided by the number of processes, with ZeRO-3 and FSDP all three. A whole model that is
trained beside a reference holds the reference too; a LoRA adapter's reference is the model without it.

Activations are those of attention without its quadratic term (sdpa and flash never write it), in 16 bits: 34 · hidden
bytes a token and layer (Korthikanti et al., arXiv 2205.05198, table 2), and with gradient checkpointing 2 · hidden for
each layer and one layer in full. Logits count for a chunk alone: TRL's head projects them piece by piece.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rlhalt.doctor.plan import Plan
from rlhalt.models.names import whole_model

# What a CUDA context or the imported libraries take before a model is there.
RUNTIME = 0.75 * 2**30
# The lengths that TRL takes where none is given.
_LENGTH = {"sft": 1024, "dpo": 1024, "decisions": 1024, "grpo": 512}
# A prompt beside the completion, where there is no limit to it.
_PROMPT = 256


@dataclasses.dataclass(frozen=True)
class Size:
    """A model's size.

    Attributes:
        parameters, trained: how many, and how many of them are trained.
        hidden, layers: width and depth.
    """

    parameters: int
    trained: int
    hidden: int
    layers: int


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes a device, estimated."""

    weights: float
    optimiser: float
    reference: float
    activations: float
    runtime: float = RUNTIME

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.optimiser + self.reference + self.activations + self.runtime


def size(plan: Plan) -> Size:
    """Count a model's parameters without loading a weight.

    Raises:
        OSError, ValueError: transformers knows no such model.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    whole, adapter = whole_model(str(plan.get("model_name_or_path")))
    config = AutoConfig.from_pretrained(whole)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        parameters = trained = model.num_parameters()
        if adapter:
            trained = _adapter(model, adapter["r"], adapter["target_modules"])
        elif plan.get("use_peft"):
            trained = _adapter(model, plan.get("lora_r", 16), plan.get("lora_target_modules"))
    text = config.get_text_config()
    return Size(parameters, trained, text.hidden_size, text.num_hidden_layers)


def _adapter(model: Any, rank: int, where: Any) -> int:
    from peft import LoraConfig, get_peft_model

    found = get_peft_model(model, LoraConfig(r=rank, target_modules=where, task_type="CAUSAL_LM"))
    return sum(one.numel() for one in found.parameters() if one.requires_grad)


def estimate(plan: Plan, of: Size) -> Memory:
    """What each device would have to hold."""
    parts = plan.processes
    optimiser = 12 * of.trained / (parts if plan.sharding != "none" else 1)
    held = 4 * of.parameters / (parts if plan.sharding == "all" else 1)
    whole = of.trained == of.parameters
    compares = plan.kind == "dpo" or (plan.kind == "grpo" and float(plan.get("beta", 0.0)) > 0)
    reference = held if whole and compares and not plan.get("precompute_ref_log_probs") else 0.0
    return Memory(held, optimiser, reference, _activations(plan, of))


def _activations(plan: Plan, of: Size) -> float:
    length = int(plan.get("max_length") or _LENGTH[plan.kind])
    if plan.kind == "grpo":
        length = int(plan.get("max_completion_length") or _LENGTH["grpo"]) + _PROMPT
    sides = 2 if plan.kind == "dpo" else 1
    tokens = int(plan.get("per_device_train_batch_size", 8)) * sides * length
    full = 34 * of.hidden
    if plan.get("gradient_checkpointing", True):
        return float(tokens * (2 * of.hidden * of.layers + full))
    return float(tokens * full * of.layers)
