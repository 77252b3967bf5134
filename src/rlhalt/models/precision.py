"""bfloat16 or float32: what this machine computes faster.

A GPU computes in bfloat16. Of CPUs only some have instructions for it (AVX512-BF16, AMX, or Arm's); the others emulate
it, and a forward pass of SmolLM2-135M took 4 to 6 times as long as in float32 on such a CPU.
"""

from __future__ import annotations

import platform
from typing import Any


def cpu_computes_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16."""
    import torch

    if platform.machine() in ("aarch64", "arm64"):
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def inference_dtype() -> Any:
    """The data type to run a model in: bfloat16 on a GPU and on CPUs that compute it, float32 on the others."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() or cpu_computes_bfloat16() else torch.float32
