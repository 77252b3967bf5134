import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.fragments.halting_phrase import is_halt, normal_form
from rlhalt.records import HALT_PHRASE


@pytest.mark.parametrize(
    "text",
    [
        HALT_PHRASE,
        "unsure from here",
        "UNSURE FROM HERE!",
        "… Unsure from here.",
        "**Unsure from here.**",
        "> _Unsure  from\there_",
        "## Unsure from here",
        "“Unsure from here.”",
        "(Unsure from here.)",
        "`Unsure from here.`",
        "Unsure from here. 🤷\ufe0f",
        "\u200bUnsure\u00a0from here.\u200f",
        "Ｕｎｓｕｒｅ ｆｒｏｍ ｈｅｒｅ．",
        "Unsure\nfrom here.",
    ],
)
def test_the_phrase_in_another_dress(text):
    assert is_halt(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " … ",
        "I am unsure from here.",
        "Unsure from here on.",
        "Unsure from there.",
        "Unsurefrom here.",
        "Unsure from here. Unsure from here.",
        "Unsure from here: the capital is Lima.",
        "1 Unsure from here.",
    ],
)
def test_more_or_less_than_the_phrase_is_not_the_phrase(text):
    assert not is_halt(text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("I don't know.", "i don’t know"),
        ("Ab hier unsicher.", "**AB HIER UNSICHER**"),
        ("Ich weiß es nicht.", "ICH WEISS ES NICHT!"),
        ("Je ne suis pas sûr.", unicodedata.normalize("NFD", "je ne suis pas sûr…")),
        ("我不确定。", "我不确定"),
        ("मुझे नहीं पता।", "मुझे नहीं पता"),
        ("لا أعرف.", "‏لا أعرف"),
        ("[STOP]", "stop."),
    ],
)
def test_a_phrase_of_ones_own(phrase, text):
    assert is_halt(phrase, phrase)
    assert is_halt(text, phrase)
    assert not is_halt(HALT_PHRASE, phrase)
    assert not is_halt(text)


def test_marks_of_letters_are_part_of_a_word():
    assert not is_halt("मुझा", "मुझे")
    assert not is_halt("sur", "sûr")


def test_a_phrase_without_words_is_no_phrase():
    assert not is_halt("…", "…")


@given(st.text())
def test_the_normal_form_is_stable(text):
    form = normal_form(text)
    assert normal_form(form) == form


@given(st.text(alphabet=" \t\n.,!?*_#>-\"'()`~…“”"), st.text(alphabet=" \t\n.,!?*_#>-\"'()`~…“”"))
def test_punctuation_around_the_phrase_changes_nothing(before, after):
    assert is_halt(f"{before}{HALT_PHRASE}{after}")
