"""Whether what was asked for is what runs: a launcher that starts one process where two were meant says nothing."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any

from rlhalt.errors import InputError

# What transformers imports for each.
_FLASH = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}


def check_processes(args: Any, environment: Mapping[str, str] = os.environ) -> None:
    """See that as many processes train together as were started, before anything is loaded.

    Args:
        args: transformers' TrainingArguments, which know what accelerate has found.
        environment: what `accelerate launch` and torchrun have set.

    Raises:
        InputError: naming what was asked for, what was found, and what to do.
    """
    device, found = args.device.type, args.world_size
    if "WORLD_SIZE" not in environment and "MASTER_ADDR" in environment:
        # All that accelerate 1.15 leaves of `num_processes: 2` where it starts one, as for MULTI_CPU.
        raise InputError(
            "expected several processes, since MASTER_ADDR is set, as accelerate sets it for num_processes above 1, "
            "found one; several on a CPU take distributed_type: MULTI_GPU, see configs/accelerate/cpu.yaml",
            field="num_processes",
        )
    asked = int(environment.get("WORLD_SIZE", "1"))
    if found != asked:
        raise InputError(
            f"expected {asked} processes that train together, found {found} on {device}, each for itself; on a CPU set "
            f"use_cpu: true, or ddp_backend: gloo with DeepSpeed",
            field="num_processes",
        )
    if args.n_gpu > 1:
        # transformers would split each batch over them with DataParallel, trees and all.
        raise InputError(
            f"expected a process for each GPU, found one for {args.n_gpu}; start it with accelerate launch "
            f"--config_file configs/accelerate/ddp.yaml, or show it one GPU (CUDA_VISIBLE_DEVICES=0)",
            field="num_processes",
        )


def check_accelerator(args: Any, accelerator: Any, environment: Mapping[str, str] = os.environ) -> None:
    """See that accelerate trains in the way that its file says, and in the precision that the configuration says.

    Raises:
        InputError: naming what was asked for, what was found, and what to do.
    """
    found = accelerator.distributed_type.value
    for kind in ("DEEPSPEED", "FSDP"):
        if environment.get(f"ACCELERATE_USE_{kind}", "false").lower() == "true" and found != kind:
            why = "use_cpu: true turns it off" if args.use_cpu else f"not available on {accelerator.device.type}"
            raise InputError(
                f"expected {kind}, as accelerate's file says, found {found}: {why}; choose another file of "
                f"configs/accelerate",
                field="distributed_type",
            )
    precision = "bf16" if args.bf16 else "fp16" if args.fp16 else "no"
    if accelerator.mixed_precision != precision:
        raise InputError(
            f"expected mixed precision '{precision}', as the configuration says, found "
            f"'{accelerator.mixed_precision}'; set bf16 or fp16 there, and no mixed_precision for accelerate",
            field="bf16",
        )


def check_attention(name: str | None) -> None:
    """See that FlashAttention has what it needs, before anything is loaded.

    Args:
        name: as `attn_implementation` of the configuration.

    Raises:
        InputError: there is no GPU, or its package is not installed.
    """
    import torch

    module = _FLASH.get(name or "")
    if module is None:
        return
    if not torch.cuda.is_available():
        raise InputError(
            f"expected a GPU for {name}, found none; set attn_implementation: sdpa", field="attn_implementation"
        )
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"{name} needs the package {module}, which is not installed here; install it, or set "
            "attn_implementation: sdpa",
            field="attn_implementation",
        )


def announce(trainer: Any) -> None:
    """Say on standard error what really runs: processes, device, precision, parameters, the effective batch."""
    args, accelerator = trainer.args, trainer.accelerator
    # ZeRO-3 leaves a process an empty parameter, and says beside it how large the whole is.
    sizes = [(getattr(one, "ds_numel", one.numel()), one.requires_grad) for one in trainer.model.parameters()]
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * accelerator.num_processes
    accelerator.print(
        f"{type(trainer).__name__}: {accelerator.distributed_type.value}, {accelerator.num_processes} process(es) on "
        f"{accelerator.device.type}, {accelerator.mixed_precision} precision, "
        f"{sum(size for size, trained in sizes if trained) / 1e6:.1f} of {sum(size for size, _ in sizes) / 1e6:.0f} M "
        f"parameters trained, {len(trainer.train_dataset)} examples, effective batch {batch}",
        file=sys.stderr,
    )
