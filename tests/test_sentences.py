import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.fragments.sentences import sentences


def texts(text):
    return [fragment.text for fragment in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kenya is in Africa. It is big.", ["Kenya is in Africa.", "It is big."]),
        ("The capital is St. John's. It is small.", ["The capital is St. John's.", "It is small."]),
        ("It has 1.5 million people. Yes.", ["It has 1.5 million people.", "Yes."]),
        (
            "Washington, D.C. is the capital. The U.S. dollar is used.",
            ["Washington, D.C. is the capital.", "The U.S. dollar is used."],
        ),
        (
            "The capital is Washington, D.C. The currency is the dollar.",
            ["The capital is Washington, D.C.", "The currency is the dollar."],
        ),
        (
            "It is used abroad, e.g. in Panama. Dr. Who says so.",
            ["It is used abroad, e.g. in Panama.", "Dr. Who says so."],
        ),
        ("Fiji is in the Pacific... Its capital is Suva.", ["Fiji is in the Pacific...", "Its capital is Suva."]),
        ("Yes… maybe.", ["Yes… maybe."]),
        (
            "Chad is in Africa.The capital is N'Djamena.The cur",
            ["Chad is in Africa.", "The capital is N'Djamena.", "The cur"],
        ),
        ("1. Mali is in Africa.\n2. Capital: Bamako\n", ["Mali is in Africa.", "Capital: Bamako"]),
        ("- Mali is in Africa\n• It is hot\n* Really", ["Mali is in Africa", "It is hot", "Really"]),
        ("Facts: 1. Mali is in Africa. 2. It is hot. 3) Dry", ["Facts:", "Mali is in Africa.", "It is hot.", "Dry"]),
        ('He said "Hello." Then he left!', ['He said "Hello."', "Then he left!"]),
        ("Is it so? Yes!! Good.", ["Is it so?", "Yes!!", "Good."]),
        ("The answer is no. It is No. 1.", ["The answer is no.", "It is No. 1."]),
        ("the capital is lima. the currency is the sol.", ["the capital is lima.", "the currency is the sol."]),
        ("The area is 3.5 sq. km. The rest is sea.", ["The area is 3.5 sq. km.", "The rest is sea."]),
        ("La capitale est Yaoundé. Élégant.", ["La capitale est Yaoundé.", "Élégant."]),
        ("東京は首都。はい。", ["東京は首都。", "はい。"]),
        ("Cuba is in North", ["Cuba is in North"]),
        ("1.\n ... \n\n", []),
        ("", []),
    ],
)
def test_cuts(text, expected):
    assert texts(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Unsure from here.",
        "unsure from here",
        "… Unsure from here.",
        "... UNSURE FROM HERE!",
        '"Unsure from here."',
        "- Unsure  from here.",
    ],
)
def test_halting_phrase(text):
    (fragment,) = sentences(text)
    assert fragment.kind == "halt"


def test_halting_phrase_within_a_sentence_is_a_sentence():
    assert [one.kind for one in sentences("I am unsure from here. Unsure from here. Bye.")] == [
        "sentence",
        "halt",
        "sentence",
    ]


PIECES = st.sampled_from(
    [*"abcZÉ東 .,!?…\n\t\"'()-•*#0123456789", "\u2028", "U.S.", "St. ", "1. ", "Unsure from here.", "Africa.The "]
)


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_fragments_lie_in_order_inside_the_text(text):
    end = 0
    for fragment in sentences(text):
        assert end <= fragment.start < fragment.end <= len(text)
        assert text[fragment.start : fragment.end] == fragment.text == fragment.text.strip()
        end = fragment.end


@given(st.lists(st.from_regex(r"[a-z]{5,9}( [a-z]{5,9}){0,4}", fullmatch=True), max_size=6))
def test_plain_sentences_are_found_again(lines):
    expected = [line.capitalize() + "." for line in lines]
    assert texts(" ".join(expected)) == expected
