"""vLLM on a CPU in the trainer's own process: how the engine is started, and how it is given new weights.

TRL's own sync fails there: vLLM's linear layers pack their weights for the CPU and keep no way to load others. vLLM can
reload a whole model from an iterator of weights, but leaves an output layer that is tied to the embedding as it was
packed before: the text looks well, its log-probabilities are those of the old weights. Found with TRL 1.16 and vLLM
0.31; held by tests/test_grpo_vllm.py.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def cpu_engine(*, bf16: bool) -> Iterator[None]:
    """Have TRL start vLLM in the trainer's own precision, without compiling.

    TRL leaves the precision to vLLM, which takes bfloat16 for float32 weights: then the probabilities with which tokens
    were drawn are not those that are trained.
    """
    from trl.generation import vllm_generation

    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    original = vllm_generation.LLM
    vllm_generation.LLM = functools.partial(original, dtype="bfloat16" if bf16 else "float32", enforce_eager=True)
    try:
        yield
    finally:
        vllm_generation.LLM = original


def sync_weights(generation: Any) -> None:
    """Give the engine the trainer's weights, adapters merged.

    Args:
        generation: TRL's `VLLMGeneration` in colocate mode; takes the place of its `sync_weights`.
    """
    runner = generation.llm.llm_engine.model_executor.driver_worker.model_runner
    # Weights may be read after they have been handed over, and adapters are unmerged when all have been.
    weights = ((name, weight.clone()) for name, weight in generation._iter_named_params())
    runner.reload_weights(weights_iterator=weights)
    if generation.model.config.tie_word_embeddings:
        head = runner.get_model().lm_head
        head.quant_method.process_weights_after_loading(head)
    generation.llm.reset_prefix_cache()
