"""Train a language model to stop where it stops being right: fragments, verdicts, one threshold τ."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.2.0"

# Imported where they are used: `import rlhalt` loads none of them.
_LAZY = {
    "load_domain": "rlhalt.domains",
    "Scorer": "rlhalt.scoring",
    "pairs": "rlhalt.training_data",
    "FragmentReward": "rlhalt.training.fragment_grpo.reward",
    "FragmentGRPOTrainer": "rlhalt.training.fragment_grpo.trainer",
}
__all__ = ["FragmentGRPOTrainer", "FragmentReward", "Scorer", "__version__", "load_domain", "pairs"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'rlhalt' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
