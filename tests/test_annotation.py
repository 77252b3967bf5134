from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.verifiers.annotation import Fact, Passage, abstention, annotate, locate

TEXT = "Ada Berg is a Norwegian painter.  She was born in\nOslo. Unsure from here."


def passage(text: str, *facts: str) -> Passage:
    """Facts as "+ Ada is a painter."."""
    labels = {"+": "correct", "-": "incorrect", "?": "unverifiable"}
    return Passage(text, tuple(Fact(one[2:], labels[one[0]]) for one in facts))  # type: ignore[arg-type]


BERG = passage("Ada Berg is a Norwegian painter.", "+ Ada Berg is Norwegian.", "- Ada Berg is a painter.")
OSLO = passage("She was born in Oslo.", "? She was born.", "+ She was born in Oslo.")


def shown(found) -> list[tuple[str, str, str | None]]:
    return [(one.kind, one.text, one.label) for one in found.fragments]


def test_a_sentence_is_as_right_as_its_facts():
    found = annotate(TEXT, [BERG, OSLO], "sentences")
    assert shown(found) == [
        ("sentence", "Ada Berg is a Norwegian painter.", "incorrect"),
        ("sentence", "She was born in\nOslo.", "correct"),
        ("halt", "Unsure from here.", "halt"),
    ]
    assert found.fragments[0].evidence == "people say 1 correct, 1 incorrect: Ada Berg is a painter."
    assert found.unplaced == ()
    assert all(one.claim is None and one.verifier == "annotation/1" for one in found.fragments)


def test_the_phrase_of_the_domain_is_a_halt_and_no_other():
    text = TEXT.replace("Unsure from here.", "Je ne sais pas.")
    assert shown(annotate(text, [BERG, OSLO], "sentences", "Je ne sais pas."))[-1] == (
        "halt",
        "Je ne sais pas.",
        "halt",
    )
    assert shown(annotate(TEXT, [BERG, OSLO], "sentences", "Je ne sais pas."))[-1][2] == "unverifiable"
    two = annotate(TEXT.replace("Unsure", "I stop. Unsure"), [BERG, OSLO], "sentences", "I stop. Unsure from here.")
    assert shown(two)[-1] == ("halt", "I stop. Unsure from here.", "halt")


@pytest.mark.parametrize(
    ("facts", "label"),
    [
        (["+ Ada."], "correct"),
        (["? Ada.", "+ Ada."], "correct"),
        (["+ Ada.", "- Ada.", "? Ada."], "incorrect"),
        (["? Ada."], "unverifiable"),
        ([], "unverifiable"),
    ],
)
@pytest.mark.parametrize("granularity", ["sentences", "facts"])
def test_the_worst_of_what_shares_words_counts(facts, label, granularity):
    found = annotate("Ada.", [passage("Ada.", *facts)], granularity)
    assert [(one.text, one.label) for one in found.fragments] == [("Ada.", label)]


def test_facts_stand_on_the_words_they_add():
    found = annotate(TEXT, [BERG, OSLO], "facts")
    assert shown(found) == [
        ("claim", "Ada Berg is a Norwegian", "correct"),
        ("claim", "painter.", "incorrect"),
        ("claim", "She was born", "unverifiable"),
        ("claim", "in\nOslo.", "correct"),
        ("halt", "Unsure from here.", "halt"),
    ]
    assert [one.claim for one in found.fragments] == [
        "Ada Berg is Norwegian.",
        "Ada Berg is a painter.",
        "She was born.",
        "She was born in Oslo.",
        None,
    ]


def test_a_passage_that_is_not_there_is_handed_back():
    elsewhere = passage("She was born in Bergen.", "- She was born in Bergen.")
    found = annotate(TEXT, [BERG, elsewhere, OSLO, BERG], "sentences")
    assert found.unplaced == (elsewhere, BERG)
    assert [one.label for one in found.fragments] == ["incorrect", "correct", "halt"]


def test_text_that_nobody_labelled_is_unverifiable():
    found = annotate(f"Well. {TEXT} Bye.", [OSLO], "sentences")
    assert shown(found) == [
        ("sentence", "Well.", "unverifiable"),
        ("sentence", "Ada Berg is a Norwegian painter.", "unverifiable"),
        ("sentence", "She was born in\nOslo.", "correct"),
        ("halt", "Unsure from here.", "halt"),
        ("sentence", "Bye.", "unverifiable"),
    ]
    assert found.fragments[0].evidence == "nobody labelled it"


def test_an_abstention_is_one_halt():
    (halt,) = abstention("  I'm sorry. Who is that?\n")
    assert (halt.kind, halt.label, halt.text) == ("halt", "halt", "I'm sorry. Who is that?")
    assert halt.start == 2
    assert abstention(" \n") == []


@pytest.mark.parametrize(
    ("response", "passages", "spans"),
    [
        ("A b. C d.", ["A b.", "C d."], [(0, 4), (5, 9)]),
        ("A b.C d.", ["A  b. ", "C d."], [(0, 4), (4, 8)]),
        ("A. A.", ["A.", "A.", "A."], [(0, 2), (3, 5), None]),
        ("B. A.", ["A.", "B."], [(3, 5), None]),
        ("A\u00a0b\u2028c", ["A b c"], [(0, 5)]),
        ("2*3 (a|b).", ["2*3 (a|b)."], [(0, 10)]),
        ("a", ["", "a"], [None, (0, 1)]),
    ],
)
def test_locate(response, passages, spans):
    assert locate(response, passages) == spans


pieces = st.lists(
    st.sampled_from(["Ada is right. ", "She paints, and sings; ", "“Sol”\n", "x = {1}. ", "1902 ", "北京。"])
)
facts = st.lists(st.sampled_from(["+ Ada is right.", "- She sings.", "? It is 1902.", "+ ok"]), max_size=3)


@given(st.lists(st.tuples(pieces, facts), max_size=5), pieces, st.sampled_from(["sentences", "facts"]))
def test_fragments_are_sorted_within_the_text_and_keep_apart(labelled, more, granularity):
    response = "".join(one for some, _ in labelled for one in some) + "".join(more)
    passages = [passage("".join(some), *said) for some, said in labelled]
    found = annotate(response, passages, granularity)
    assert [one for one in passages if one.text.strip() == ""] == list(found.unplaced)
    end = 0
    for one in found.fragments:
        assert end <= one.start < one.end <= len(response)
        assert response[one.start : one.end] == one.text == one.text.strip()
        assert one.label is not None
        end = one.end
