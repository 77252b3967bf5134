"""What the training scripts share: strict parsing, the model to start from, and the training itself."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from rlhalt.chat.plain import training_template
from rlhalt.chat.templates import prepare
from rlhalt.errors import InputError
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run
from rlhalt.models.names import contiguous_for_head, resolve_model, whole_model
from rlhalt.models.precision import cpu_computes_bfloat16
from rlhalt.training import secret
from rlhalt.training.checkpoints import load_adapter, load_onto_numbered_cpus, newest
from rlhalt.training.help import help_text
from rlhalt.training.kinds import check_bounds, settings_of
from rlhalt.training.launch import announce, check_accelerator, check_attention, check_processes
from rlhalt.training.loggers import one_run


def parse(kinds: Sequence[type[Any]], argv: Sequence[str]) -> tuple[Any, ...]:
    """Parse `--config file.yaml` and command-line keys into dataclasses with TRL's parser; a misspelt key is an error.

    Args:
        kinds: what the script reads, the trainer's configuration, the model's.

    Raises:
        InputError: naming the unknown key, and the known one that is nearest; or fewer processes train than were
            started.
    """
    from trl import TrlParser

    argv, settings = list(argv), {}
    if {"-h", "--help"} & set(argv):
        print(help_text(kinds), end="")
        raise SystemExit(0)
    if "--config" in argv[:-1]:
        settings = settings_of(kinds, argv[argv.index("--config") + 1])
    _refuse_unknown(kinds, argv)
    # Before anything is parsed: transformers writes the precision into the environment, where it stays.
    if _emulated(argv, settings):
        print(
            "rlhalt: this CPU has no instructions for bfloat16 and would emulate it; training in float32",
            file=sys.stderr,
        )
        argv += ["--bf16", "false"]
    parser = TrlParser(list(kinds), allow_abbrev=False)
    # argparse would print two screens of usage before its one line.
    parser.error = _refuse
    try:
        parsed = tuple(parser.parse_args_and_config(args=argv, fail_with_unknown_args=True))
    except (ValueError, TypeError, NotImplementedError, ArithmeticError) as error:
        told = " ".join(str(error).split())
        if "bf16/gpu" in told:
            raise InputError("expected a GPU, found none; on a CPU set use_cpu: true", field="use_cpu") from None
        raise InputError(told[:600]) from None
    check_attention(getattr(parsed[-1], "attn_implementation", None))
    for one in parsed:
        check_bounds({field.name: getattr(one, field.name) for field in dataclasses.fields(one)})
    check_processes(parsed[1])
    return parsed


def _refuse_unknown(kinds: Sequence[type[Any]], argv: Sequence[str]) -> None:
    """See that every key is one, before the parser makes anything of the others.

    Raises:
        InputError: naming the unknown key and the known one that is nearest.
    """
    known = {"config", *(one.name for kind in kinds for one in dataclasses.fields(kind))}
    for word in argv:
        name = word.partition("=")[0].removeprefix("--")
        if word.startswith("--") and name.replace("-", "_").removeprefix("no_") not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '--{near[0]}'?" if near else "--help lists the keys"
            raise InputError(f"unrecognized arguments: --{name}; {hint}")


def _emulated(argv: Sequence[str], settings: Mapping[str, Any]) -> bool:
    """Whether bfloat16 is asked for on a CPU that has no instructions for it."""
    import torch

    on_cpu = _on("use_cpu", argv, settings) or not torch.cuda.is_available()
    return _on("bf16", argv, settings) and on_cpu and not cpu_computes_bfloat16()


def _on(key: str, argv: Sequence[str], settings: Mapping[str, Any]) -> bool:
    """Whether a switch is on: the last of the command line, or else the configuration's."""
    given = [*argv, "--"]
    places = [place for place, one in enumerate(given) if one == f"--{key}"]
    if not places:
        return bool(settings.get(key, False))
    value = given[places[-1] + 1]
    return value.startswith("--") or value.lower() in ("true", "1", "yes")


def _refuse(message: str) -> NoReturn:
    raise InputError(message)


def described(*parsed: Any) -> dict[str, Any]:
    """The keys that differ from their defaults, for run.json."""
    differing = {}
    for one in parsed:
        for field in dataclasses.fields(one):
            value = getattr(one, field.name)
            if (
                field.init
                and not secret(field.name)
                and value != field.default
                and isinstance(value, str | int | float | list | dict | None)
            ):
                differing[field.name] = value
    return differing


def load_trainable(model_args: Any, base_template: str | None) -> tuple[Any, Any, Any]:
    """The model to train, its tokenizer and the LoRA configuration for TRL.

    A folder with a LoRA adapter is trained further: TRL then keeps a frozen copy of it as the reference. Anything else
    is a whole model, which gets a new adapter with `use_peft: true`. Weights are float32; `bf16: true` computes in
    bfloat16 (in float32 on a CPU without instructions for it, see `parse`). Model and tokenizer know all tokens that
    end a turn, and one that pads (`rlhalt.chat.templates.prepare`).

    Args:
        base_template: see `rlhalt.training.checkpoints.Resumable`.

    Raises:
        InputError: see `resolve_model`; or the model has no chat template, and none is named.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging
    from trl import get_peft_config

    logging.disable_progress_bar()
    folder = resolve_model(model_args.model_name_or_path)
    whole, adapter = whole_model(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = training_template(base_template, model_args.model_name_or_path)
    print(f"loading {model_args.model_name_or_path} …", file=sys.stderr, flush=True)
    model = AutoModelForCausalLM.from_pretrained(
        whole, dtype=torch.float32, attn_implementation=model_args.attn_implementation
    )
    prepare(tokenizer, model.generation_config)
    contiguous_for_head(model)
    if adapter:
        from peft import PeftModel

        return PeftModel.from_pretrained(model, folder, is_trainable=True), tokenizer, None
    return model, tokenizer, get_peft_config(model_args)


def reference_model(name: str) -> Any:
    """A whole model to compare with, in float32; an adapter's folder gives the model with its adapter merged in.

    Raises:
        InputError: see `resolve_model`.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = resolve_model(name)
    whole, adapter = whole_model(folder)
    model = contiguous_for_head(AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32))
    if not adapter:
        return model
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder).merge_and_unload()


@contextlib.contextmanager
def scoring_only_completions() -> Iterator[None]:
    """Have TRL's fused head project only the positions that the loss reads, on a CPU too.

    TRL 1.16 does so where it has Triton kernels; elsewhere it projects every position onto the vocabulary, prompt and
    padding included, for the sake of devices that compile. On a CPU that is most of a step with a small model.
    """
    from trl.trainer import utils

    original = utils._use_triton
    utils._use_triton = lambda device: device.type == "cpu" or original(device)
    try:
        yield
    finally:
        utils._use_triton = original


def fit(trainer: Any, run: Run, parsed: Sequence[Any]) -> None:
    """Train, save the model (or its adapter) with the tokenizer to `output_dir`, and put what was done in run.json.

    Args:
        parsed: what `parse` returned: what the script reads, with `resume`, first.

    Raises:
        InputError: something else runs than was asked for, there is no checkpoint to resume from, or another command
            writes `output_dir`.
    """
    args, accelerator = trainer.args, trainer.accelerator
    check_accelerator(args, accelerator)
    announce(trainer)
    checkpoint = args.resume_from_checkpoint
    if parsed[0].resume and args.save_only_model:
        raise InputError(
            "expected checkpoints to resume from, found that only the model is kept", field="save_only_model"
        )
    if parsed[0].resume and checkpoint is None:
        checkpoint = newest(args.output_dir, accelerator.num_processes)
        accelerator.print(f"resuming from {checkpoint}" if checkpoint else "no checkpoint yet", file=sys.stderr)
    load_onto_numbered_cpus()
    if checkpoint and not trainer.is_deepspeed_enabled and not trainer.is_fsdp_enabled:
        load_adapter(trainer.model, checkpoint)
    alone = locked(args.output_dir) if args.process_index == 0 else contextlib.nullcontext()
    with alone, scoring_only_completions(), one_run(args.report_to):
        trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
        trainer.save_model(args.output_dir)
    run.result(parameters=described(*parsed), steps=trainer.state.global_step, log=trainer.state.log_history)
