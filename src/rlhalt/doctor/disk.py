"""Whether what a training writes fits on the disk: the trained weights at the end, and its checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

from rlhalt.doctor.finding import Finding, Verdict
from rlhalt.doctor.memory import Size
from rlhalt.doctor.plan import Plan

_GIB = 2**30
# Weights are float32; AdamW keeps two moments of each that is trained.
_WEIGHT, _MOMENTS = 4, 8


def examine_disk(plan: Plan, size: Size) -> Finding:
    """Compare what is free where the output goes with what the training writes, in bytes.

    It fails where not even the trained weights fit, and warns where the checkpoints that are kept do not.
    """
    folder = Path(str(plan.get("output_dir") or "."))
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    weights = _WEIGHT * size.trained
    checkpoint = weights + (0 if plan.get("save_only_model") else _MOMENTS * size.trained)
    # One is written before the oldest is removed; without a limit none is removed, and their number is not known.
    limit = plan.get("save_total_limit")
    kept = 0 if plan.get("save_strategy") == "no" else limit + 1 if isinstance(limit, int) else 1
    need = weights + kept * checkpoint
    verdict: Verdict = "fail" if free < weights else "warn" if free < need else "pass"
    says = f"{weights / _GIB:.1f} GiB of trained weights"
    if kept:
        several = f"up to {kept} checkpoints" if isinstance(limit, int) else "each checkpoint"
        says += f", {several} of {checkpoint / _GIB:.1f} GiB"
    says += f"; {free / _GIB:.1f} GiB free in {there}"
    if verdict != "pass":
        says += ": free some, choose another output_dir, or set save_total_limit or save_only_model"
    return Finding("disk", verdict, says)
