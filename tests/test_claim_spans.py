from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.fragments.claim_spans import Piece, pieces


def cut(text: str, *statements: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(text[one.start : one.end], one.statements) for one in pieces(text, statements)]


@pytest.mark.parametrize(
    ("text", "statements", "expected"),
    [
        pytest.param(
            "Ada Berg is a Norwegian painter born in 1902.",
            ["Ada Berg is Norwegian.", "Ada Berg is a painter.", "Ada Berg was born in 1902."],
            [("Ada Berg is a Norwegian", (0,)), ("painter", (1,)), ("born in 1902.", (2,))],
            id="each owns the words it adds",
        ),
        pytest.param(
            "Ada Berg is a Norwegian painter.",
            ["Ada Berg is a painter.", "Ada Berg is a Norwegian."],
            [("Ada Berg is a Norwegian", (1,)), ("painter.", (0,))],
            id="in another order than the text",
        ),
        pytest.param(
            "She sang with Bo Dahl and Ulf Lie.",
            ["Bo Dahl is a singer.", "She sang with Bo Dahl.", "She sang with Ulf Lie.", "Ulf Lie sang."],
            [("She sang", (1,)), ("with Bo Dahl", (0,)), ("and Ulf Lie.", (2, 3))],
            id="what adds nothing joins what it repeats",
        ),
        pytest.param(
            "He was mayor from 1990 to 1992 and judge from 1992 to 1994.",
            ["He was mayor from 1990 to 1992.", "He was a judge.", "He was a judge from 1992 to 1994."],
            [("He was mayor from 1990 to 1992", (0,)), ("and judge", (1,)), ("from 1992 to 1994.", (2,))],
            id="the nearest of equal words",
        ),
        pytest.param(
            "Films include “The Sea” (1950), “The Hill,” and more.",
            ["The Sea is a film.", "The Sea is of 1950.", "The Hill is a film."],
            [("Films include “The Sea”", (0,)), ("(1950),", (1,)), ("“The Hill,”", (2,))],
            id="punctuation goes with its words",
        ),
        pytest.param(
            "Born in Oslo, she painted.",
            ["She was Norwegian.", "She was a painter."],
            [("she painted.", (0, 1))],
            id="nothing shared: beside its neighbour",
        ),
        pytest.param(
            "In politics and law, Ada Maria Berg went far.",
            ["Ada Maria Berg was in politics.", "Ada Maria Berg was in law."],
            [("In politics", (0,)), ("and law, Ada Maria Berg", (1,))],
            id="a name that all say tells little",
        ),
        pytest.param(
            "Berg played and sang.",
            ["He played.", "Berg sang."],
            [("played", (0,)), ("and sang.", (1,))],
            id="of equals the later",
        ),
        pytest.param(
            "Political books such as Politics.",
            ["He has political books.", "Politics is by him."],
            [("Political books", (0,)), ("such as Politics.", (1,))],
            id="the word itself before a form of it",
        ),
        pytest.param(
            "He sold 10,500 works.",
            ["He sold works.", "It was 10,501."],
            [("He sold 10,500 works.", (0, 1))],
            id="numbers have no forms",
        ),
        pytest.param("She painted.", ["Nothing alike."], [("She painted.", (0,))], id="no word shared at all"),
        pytest.param("— Oslo —", ["Oslo."], [("Oslo", (0,))], id="no blanks at the ends"),
    ],
)
def test_where_statements_stand(text, statements, expected):
    assert cut(text, *statements) == expected


def test_forms_of_a_word_are_one_word():
    text = "His roles in the 1990s earned Hudson's film awards."
    assert cut(text, "He was awarded.", "Hudson was known.", "It was in 1990.", "He had a role.") == [
        ("His roles", (3,)),
        ("in the 1990s", (2,)),
        ("Hudson's", (1,)),
        ("awards.", (0,)),
    ]


def test_other_numbers_are_other_words():
    assert cut("Born in 1990, died in 1996.", "He died in 1996.", "He was born in 1990.") == [
        ("Born in 1990,", (1,)),
        ("died in 1996.", (0,)),
    ]


def test_a_text_without_words_has_no_pieces():
    with pytest.raises(ValueError, match="letter"):
        pieces("—", ["A."])


words = st.sampled_from(
    ["Ada", "was", "a", "painter", "painters", "in", "1902", "Oslo,", '"Sol"', "é", "北京", "-", "\n"]
)
texts = st.lists(words, min_size=1, max_size=20).map(" ".join)


@given(
    st.one_of(texts, st.text(min_size=1)).filter(lambda text: any(char.isalnum() for char in text)),
    st.lists(st.one_of(texts, st.text()), min_size=1, max_size=8),
)
def test_every_statement_is_in_one_piece_and_pieces_keep_apart(text, statements):
    found: list[Piece] = pieces(text, statements)
    assert sorted(one for piece in found for one in piece.statements) == list(range(len(statements)))
    end = 0
    for one in found:
        assert end <= one.start < one.end <= len(text)
        inside = text[one.start : one.end]
        assert inside == inside.strip()
        assert any(char.isalnum() for char in inside)
        end = one.end
