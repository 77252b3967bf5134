from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from rlhalt.chat.templates import Template
from rlhalt.chat.token_spans import fragment_tokens
from rlhalt.fragments.sentences import sentences


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


@pytest.mark.parametrize(
    "text",
    [
        "Norway is in Europe. Its capital is Oslo.",
        "1. São Tomé lies at 0.3° N.\n2. Ναι, 東京 is a city. 🇳🇴 is a flag.",
        "One.Two without a space.",
    ],
)
def test_the_tokens_of_a_fragment_decode_to_it(tokenizer, text):
    prompt = Template(tokenizer).asked([{"role": "user", "content": "State five facts about Norway."}])
    fragments = sentences(text)
    ids, spans = fragment_tokens(tokenizer, prompt, text, fragments)
    assert tokenizer.decode(ids) == prompt + text
    assert len(spans) == len(fragments) > 1
    for (low, high), fragment in zip(spans, fragments, strict=True):
        # Ends may share a token with what follows; the fragment itself is whole.
        assert fragment.text.rstrip(".") in tokenizer.decode(ids[low:high])


def test_the_first_fragment_begins_behind_the_prompt(tokenizer):
    """Though the prompt ends with a token that is blank, as of "assistant⏎"."""
    prompt = Template(tokenizer).asked([{"role": "user", "content": "State five facts about Norway."}])
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(before[-1:]) == "\n"
    ids, spans = fragment_tokens(tokenizer, prompt, "Norway is in Europe.", sentences("Norway is in Europe."))
    assert ids[: len(before)] == before
    assert spans == [(len(before), len(ids))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
@given(text=st.text(max_size=60))
def test_spans_are_sorted_inside_and_disjoint_for_any_text(tokenizer, text):
    fragments = sentences(text)
    ids, spans = fragment_tokens(tokenizer, "<|im_start|>assistant\n", text, fragments)
    used = [position for low, high in spans for position in range(low, high)]
    assert used == sorted(set(used))
    assert all(0 <= low <= high <= len(ids) for low, high in spans)
