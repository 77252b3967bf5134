"""Sampled tokens → decisions: by hand on real tokens, and for any tokens whatever."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from rlhalt.errors import InputError
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Fragment
from rlhalt.training.fragment_grpo.tokens import openings, spread, token_starts


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def judged(text):
    return [
        Fragment(one.start, one.end, one.kind, one.text, "halt" if one.kind == "halt" else "correct")
        for one in sentences(text)
    ]


def by_value(tokenizer, ids, values):
    """The text of the tokens that have each value."""
    _, starts = token_starts(tokenizer, ids)
    found = spread(starts, judged(tokenizer.decode(ids, skip_special_tokens=True)), values)
    assert len(found) == len(ids)
    return {value: tokenizer.decode([one for one, v in zip(ids, found, strict=True) if v == value]) for value in found}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (
            "Norway is in Europe. Its capital is Oslo.<|im_end|>",
            [1, 2, 3],
            {1: "Norway is in Europe.", 2: " Its capital is Oslo.", 3: "<|im_end|>"},
        ),
        # A list marker, blanks and line ends belong to the fragment that they open.
        (
            "1. In Europe.\n\n2.  Capital Oslo. \n<|im_end|>",
            [1, 2, 3],
            {1: "1. In Europe.", 2: "\n\n2.  Capital Oslo.", 3: " \n<|im_end|>"},
        ),
        ("In Europe. Unsure from here.<|im_end|>", [1, 2], {1: "In Europe.", 2: " Unsure from here.<|im_end|>"}),
        ("Unsure from here.<|im_end|>", [4], {4: "Unsure from here.<|im_end|>"}),
        ("<|im_end|>", [4], {4: "<|im_end|>"}),
        # Went on after halting: the end is one more decision.
        (
            "Unsure from here. In Europe.<|im_end|>",
            [1, 2, 3],
            {1: "Unsure from here.", 2: " In Europe.", 3: "<|im_end|>"},
        ),
        # A special token in the middle decides nothing; several at the end do.
        (
            "In Eur<|im_start|>ope. Oslo is it.<|endoftext|><|im_end|>",
            [1, 2, 3],
            {1: "In Europe.", 0: "<|im_start|>", 2: " Oslo is it.", 3: "<|endoftext|><|im_end|>"},
        ),
        # Nothing counts after an error in a causal domain.
        ("In Asia. Oslo. Big.<|im_end|>", [1, 2], {1: "In Asia.", 2: " Oslo.", 0: " Big.<|im_end|>"}),
        ("東京 is big. 🇳🇴 São.<|im_end|>", [1, 2, 3], {1: "東京 is big. 🇳🇴", 2: " São.", 3: "<|im_end|>"}),
        # Not seen to its end.
        ("In Europe.", [], {0: "In Europe."}),
    ],
)
def test_tokens_of_decisions(tokenizer, text, values, expected):
    assert by_value(tokenizer, tokenizer.encode(text), values) == expected


@pytest.mark.parametrize(
    ("answers", "opened"),
    [
        # Parted from the other fragments of the answer, and from the halting phrase.
        (["Its capital is Oslo. Its currency is the krone."], [["Its ca", "Its cu"]]),
        (["Oslo. Unsure from here."], [["O", "U"]]),
        (["Unsure about it."], [["Unsure a"]]),
        # Alone, a fragment is as long as others in the group that begin like it.
        (
            ["Its capital is Oslo.", "Its capital is Rome. Its currency is the euro.", "It is big."],
            [["Its ca"], ["Its ca", "Its cu"], ["I"]],
        ),
        # What is said twice is no other thing.
        (["In Europe. In Europe."], [["I", "I"]]),
        ([""], [[]]),
    ],
)
def test_openings(answers, opened):
    group = [judged(one) for one in answers]
    found = openings(group)
    assert [
        [one.text[:length] for one, length in zip(its, lengths, strict=True)]
        for its, lengths in zip(group, found, strict=True)
    ] == opened


def test_a_token_that_begins_where_the_opening_ends_is_behind_it():
    fragments = judged("Its capital is Oslo.")
    assert spread([0, 4, 5, 6, 19, None], fragments, [1, 2], [6]) == [1, 1, 1, 0, 0, 2]


def test_behind_the_opening_a_token_has_no_value(tokenizer):
    text = "1. Its capital is Oslo.\n2. Its currency is the krone. Unsure from here.<|im_end|>"
    ids = tokenizer.encode(text)
    plain, starts = token_starts(tokenizer, ids)
    fragments = judged(plain)
    found = spread(starts, fragments, [1, 2, 3], openings([fragments])[0])
    said = {v: tokenizer.decode([one for one, its in zip(ids, found, strict=True) if its == v]) for v in set(found)}
    assert said[1].startswith("1. Its ca")
    assert said[2].startswith("\n2. Its cu")
    assert "is" in said[0].split()
    assert "Its" not in said[0]
    # Halting is decided with all its words: the end of turn is behind them.
    assert said[3] == " Unsure from here.<|im_end|>"


def test_reasoning_before_the_answer_has_no_value(tokenizer):
    thought = "<think>\nOslo? Asia.\n</think>\n\n"
    text = f"{thought}Its capital is Oslo. Unsure from here.<|im_end|>"
    ids = tokenizer.encode(text)
    plain, starts = token_starts(tokenizer, ids)
    fragments = [
        Fragment(one.start + len(thought), one.end + len(thought), one.kind, one.text, one.label)
        for one in judged(plain.removeprefix(thought))
    ]
    found = spread(starts, fragments, [1, 2, 3], begin=len(thought))
    said = {v: tokenizer.decode([one for one, its in zip(ids, found, strict=True) if its == v]) for v in set(found)}
    # The last blank belongs to the fragment that it opens, as everywhere.
    assert said == {0: thought[:-1], 1: "\nIts capital is Oslo.", 2: " Unsure from here.<|im_end|>"}
    # A response without an answer decides nothing but to end.
    ids = tokenizer.encode("<think>\nOslo?<|im_end|>")
    plain, starts = token_starts(tokenizer, ids)
    assert spread(starts, [], [5], begin=len(plain)) == [0] * (len(ids) - 1) + [5]


def test_every_token_of_a_character_belongs_to_its_fragment(tokenizer):
    ids = tokenizer.encode("Oslo. 東京.")
    text, starts = token_starts(tokenizer, ids)
    pieces = len(tokenizer.encode("東京."))
    assert len(ids) > len(text) - 2
    assert starts[-pieces:] == [6, 6, 6, 7, 7, 7, 8]


def test_a_token_that_ends_one_sentence_and_begins_a_character_of_the_next(tokenizer):
    """Here, "s" and the first byte of "À"."""
    ids = tokenizer.encode("sÀ")
    assert len(ids) == 2
    assert token_starts(tokenizer, ids) == ("sÀ", [0, 1])


def test_tokens_are_those_that_were_sampled_not_those_of_the_text(tokenizer):
    """In single bytes, as a policy may well spell it."""
    ids = [one for char in "Its capital is Oslo. It is in Europe." for one in tokenizer.encode(char)]
    assert ids != tokenizer.encode("Its capital is Oslo. It is in Europe.")
    assert by_value(tokenizer, [*ids, tokenizer.eos_token_id], [1, 2, 3]) == {
        1: "Its capital is Oslo.",
        2: " It is in Europe.",
        3: "<|im_end|>",
    }


def test_a_fragment_inside_another_has_no_tokens_of_its_own():
    nested = [Fragment(0, 9, "a", ""), Fragment(2, 5, "b", ""), Fragment(9, 12, "c", "")]
    assert spread([0, 3, 6, 9, None], nested, [1, 2, 3, 4]) == [1, 1, 1, 3, 4]


def test_a_tokenizer_whose_pieces_are_unknown_is_refused(tokenizer):
    class Slow:
        pass

    with pytest.raises(InputError, match="fast tokenizer"):
        token_starts(Slow(), [1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(ids=st.lists(st.integers(0, 399), max_size=40), data=st.data())
def test_any_tokens_whatever_have_one_decision_each(tokenizer, ids, data):
    ids = [one for one in ids if one < len(tokenizer)]
    text, starts = token_starts(tokenizer, ids)
    assert text == tokenizer.decode(ids, skip_special_tokens=True)
    placed = [start for start in starts if start is not None]
    assert placed == sorted(placed)
    assert all(0 <= start <= len(text) for start in placed)
    assert [start is None for start in starts] == [one in tokenizer.all_special_ids for one in ids]
    fragments = judged(text)
    found = spread(starts, fragments, range(1, len(fragments) + 2))
    decisions = [one for one in found if one]
    assert decisions == sorted(decisions)
    for number, fragment in enumerate(fragments, start=1):
        # Its first character lies in one of its own tokens, unless that token began in the fragment before it.
        assert number in found or any(start is not None and start < fragment.start for start in starts)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(text=st.text(max_size=60))
def test_places_are_those_of_the_tokenizer_for_any_text(tokenizer, text):
    """On the text's own tokens, whose places the tokenizer knows too."""
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    found, starts = token_starts(tokenizer, encoded["input_ids"])
    if found != text or None in starts:
        return
    for (begin, end), start in zip(encoded["offset_mapping"], starts, strict=True):
        blank = len(text[begin:end]) - len(text[begin:end].lstrip())
        assert start == begin + blank or not text[begin:end].strip()
