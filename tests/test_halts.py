"""Halting phrases, whatever splits the response and whatever verifies it."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.fragments.code import code
from rlhalt.fragments.halts import with_halts
from rlhalt.fragments.sentences import sentences
from rlhalt.fragments.steps import steps
from rlhalt.records import Fragment
from rlhalt.rewards import response_reward
from rlhalt.scoring import Scorer
from rlhalt.verifiers import Verdict


def pieces(pattern):
    """A splitter that has never heard of halting."""

    def split(text):
        return [Fragment(*one.span(), "piece", one[0]) for one in re.finditer(pattern, text)]

    return split


WHOLE = pieces(r"(?s)\S.*")
LINES = pieces(r"[^\n]*\S[^\n]*")
WORDS = pieces(r"\S+")
SPLITTERS = [WHOLE, LINES, WORDS, sentences, steps, code]


def found(text, split=WHOLE, phrase="Unsure from here."):
    return [("HALT" if one.kind == "halt" else one.text) for one in with_halts(text, split(text), phrase)]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("Unsure from here.", ["HALT"]),
        ("**unsure from here**", ["HALT"]),
        ("\u201cUnsure from here.\u201d", ["HALT"]),
        ("X is Y. Unsure from here.", ["X is Y.", "HALT"]),
        ("X is Y. **Unsure from here.**", ["X is Y.", "HALT"]),
        ("X is Y\n\nUnsure from here", ["X is Y", "HALT"]),
        ("X is Y!\n- Unsure from here.\n", ["X is Y!", "HALT"]),
        ("X is Y.Unsure from here.", ["X is Y.Unsure from here."]),  # one letter before the stop may be an initial
        ("Xa is Ya.Unsure from here.", ["Xa is Ya.", "HALT"]),
        ("X is Y. Unsure from here. Z is W.", ["X is Y.", "HALT", "Z is W."]),
        ("Unsure from here. Z is W.", ["HALT", "Z is W."]),
        ("Unsure from here. Unsure from here.", ["HALT", "HALT"]),
        ("I am unsure from here.", ["I am unsure from here."]),
        ("Unsure from here on.", ["Unsure from here on."]),
        ("The sign says: unsure from here. It is old.", ["The sign says: unsure from here. It is old."]),
        ("X is Y.", ["X is Y."]),
        ("", []),
    ],
)
def test_a_splitter_that_returns_the_whole_response(text, fragments):
    assert found(text) == fragments


def test_a_splitter_that_cuts_the_phrase_into_words():
    assert found("X is Y. Unsure from here.", WORDS) == ["X", "is", "Y.", "HALT"]


def test_a_splitter_that_leaves_the_phrase_out():
    only_facts = pieces(r"\w+ is \w+\.")
    assert found("X is Y. Unsure from here.", only_facts) == ["X is Y.", "HALT"]
    # Elsewhere the splitter has its reason.
    assert found("Unsure from here. X is Y.", only_facts) == ["X is Y."]


def test_a_phrase_of_the_domain():
    assert found("X is Y. I don\u2019t know.", phrase="I don't know.") == ["X is Y.", "HALT"]
    assert found("X is Y. I stop. I do not know.", phrase="I stop. I do not know.") == ["X is Y.", "HALT"]
    assert found("X is Y. Unsure from here.", phrase="I don't know.") == ["X is Y. Unsure from here."]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("X is Y. Je ne sais pas.", ["X is Y.", "HALT"]),
        ("X is Y. **je ne sais pas**", ["X is Y.", "HALT"]),
        ("Je ne sais pas.", ["HALT"]),
        ("X is Y. Unsure from here.", ["X is Y.", "Unsure from here."]),
        ("Unsure from here. Je ne sais pas.", ["Unsure from here.", "HALT"]),
        ("Unsure from here.", ["Unsure from here."]),
    ],
)
def test_a_splitter_that_calls_sentences_without_the_phrase_of_the_domain(text, fragments):
    assert found(text, sentences, "Je ne sais pas.") == fragments
    scorer = Scorer(sentences, Says("correct"), phrase="Je ne sais pas.")
    labels = ["halt" if one == "HALT" else "correct" for one in fragments]
    assert [one.label for one in scorer.judge(text, {})] == labels


def test_a_claim_in_words_of_its_own_stays_one_claim():
    text = "X is Y. Unsure from here."
    claims = [Fragment(0, len(text), "claim", text, claim="X is Y."), Fragment(0, len(text), "claim", text, claim="X.")]
    assert [(one.kind, one.text, one.claim) for one in with_halts(text, claims)] == [
        ("claim", "X is Y.", "X is Y."),
        ("claim", "X is Y.", "X."),
        ("halt", "Unsure from here.", None),
    ]


def test_what_stands_in_a_program_is_left_to_its_splitter():
    text = 'def f():\n    """F. Unsure from here.\n\n    Unsure from here.\n    """\n    return 1\n'
    assert with_halts(text, code(text)) == code(text)


@given(st.lists(st.sampled_from(["X is Y.", "Unsure from here.", "\n", "Z is", "1. ", "W!", "**"]), max_size=8))
def test_fragments_stay_in_order_point_at_their_text_and_do_not_overlap(parts):
    text = " ".join(parts)
    for split in SPLITTERS:
        made = with_halts(text, split(text))
        assert all(text[one.start : one.end] == one.text and one.text.strip() for one in made)
        assert all(one.end <= other.start for one, other in itertools.pairwise(made))
        assert with_halts(text, made) == made


class Says:
    """A verifier that gives everything one label."""

    name = "says/1"

    def __init__(self, label):
        self.label, self.seen = label, []

    def verify(self, response, fragments, reference):
        self.seen += [one.text for one in fragments]
        return [Verdict(self.label, "always")] * len(fragments)


class Crashes:
    name = "crashes/1"

    def verify(self, response, fragments, reference):
        if any("nsure" in one.text for one in fragments):
            raise ValueError("never heard of it")
        return [Verdict("correct", "")] * len(fragments)


class TooMany(Says):
    knows_halts = True


@pytest.mark.parametrize("split", SPLITTERS)
@pytest.mark.parametrize(
    "verifier", [Says("incorrect"), Says("correct"), Says("unverifiable"), Crashes(), TooMany("incorrect")]
)
@pytest.mark.parametrize("text", ["Unsure from here.", "  **unsure from here!**\n"])
def test_any_verifier_gives_0_for_the_phrase(split, verifier, text):
    judged = Scorer(split, verifier).judge(text, {})
    assert [one.label for one in judged] == ["halt"]
    assert response_reward(judged, 0.5, "independent") == response_reward(judged, 0.5, "causal") == 0


@pytest.mark.parametrize(
    ("domain", "reference"),
    [
        ("countries", {"subject": "Kenya"}),
        ("maths", {"answer": "1 + 1 = <<1+1=2>>2\n#### 2"}),
        ("code", {"prompt": "def f():\n", "test": "def check(c):\n    assert c() == 1\n", "entry_point": "f"}),
    ],
)
def test_the_built_in_verifiers_give_0_for_the_phrase(domain, reference):
    try:
        scorer = load_domain(domain).scorer()
    except InputError as error:
        assert domain == "code"
        pytest.skip(str(error))  # programs are run only where a sandbox works
    assert [one.label for one in scorer.judge("Unsure from here.", reference)] == ["halt"]


def test_a_verifier_is_not_shown_the_phrase_and_judges_the_rest():
    says = Says("correct")
    judged = Scorer(WHOLE, says).judge("X is Y. Unsure from here.", {})
    assert [(one.text, one.label) for one in judged] == [("X is Y.", "correct"), ("Unsure from here.", "halt")]
    assert says.seen == ["X is Y."]


def test_a_verifier_that_breaks_does_not_break_the_halt():
    class Broken(Says):
        def verify(self, response, fragments, reference):
            raise ConnectionError("gone")

    judged = Scorer(sentences, Broken("correct")).judge("X is Y. Unsure from here.", {})
    assert [one.label for one in judged] == [None, "halt"]


def test_a_halt_that_an_older_scorer_had_judged_is_labelled_anew():
    text = "X is Y. Unsure from here."
    says = Says("correct")
    (fact, phrase) = (Fragment(0, 7, "sentence", text[:7]), Fragment(8, 25, "sentence", text[8:]))
    earlier = [
        Fragment(one.start, one.end, one.kind, one.text, "incorrect", verifier=says.name) for one in (fact, phrase)
    ]
    assert [one.label for one in Scorer(sentences, says).judge(text, {}, earlier)] == ["correct", "halt"]
