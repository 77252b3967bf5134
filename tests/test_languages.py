from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.fragments.languages import SentenceSplitter
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE

COUNTRIES = (Path(__file__).parents[1] / "reward" / "countries" / "domain.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sentencex():
    return pytest.importorskip("sentencex", reason="sentencex is not installed")


def specify(folder: Path, lines: str):
    (folder / "domain.yaml").write_text(COUNTRIES + lines + "\n", encoding="utf-8")
    return load_domain(folder)


def test_english_is_split_by_our_own_rules(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencex", None)
    splitter = SentenceSplitter()
    text = "He left the U.S. Kenya is his home. Unsure from here."
    assert splitter(text) == sentences(text)
    assert splitter.name == "sentences/2"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Er wohnt z.B. in Bonn. Am 3. Mai kam er.", ["Er wohnt z.B. in Bonn.", "Am 3. Mai kam er."]),
        ("de", "1. Bonn ist klein.\n- 😀 Gut. Ja!", ["Bonn ist klein.", "😀 Gut.", "Ja!"]),
        (
            "fr",
            "**Capitale :** Paris\n```\nx = 1\n```\nC'est grand.",
            ["**Capitale :** Paris", "x = 1", "C'est grand."],
        ),
        ("hi", "यह बड़ा है। वह छोटा है।", ["यह बड़ा है।", "वह छोटा है।"]),
    ],
)
def test_another_language_has_rules_of_its_own_and_the_same_markdown(sentencex, language, text, expected):
    assert [one.text for one in SentenceSplitter(language)(text)] == expected


def test_the_name_says_what_splits(sentencex):
    names = {SentenceSplitter(language).name for language in ("en", "de", "fr")}
    assert len(names) == 3
    assert any("sentencex-" in one and "-de-" in one for one in names)


@given(st.one_of(st.text(), st.lists(st.sampled_from([*"aÉ東 .!?\n😀\u0301", "z.B. ", "```\n"])).map("".join)))
def test_fragments_lie_in_order_inside_the_text(sentencex, text):
    end = 0
    for one in SentenceSplitter("de")(text):
        assert end <= one.start < one.end <= len(text)
        assert text[one.start : one.end] == one.text
        end = one.end


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(InputError, match=r"rlhalt\[languages\]"):
        SentenceSplitter("de")


@pytest.mark.parametrize("language", ["german", "xq", "", "d"])
def test_a_language_that_does_not_exist_is_an_error_not_english(language):
    with pytest.raises(InputError, match="code of a language"):
        SentenceSplitter(language)


def test_a_domain_has_a_language_and_a_halting_phrase(sentencex, tmp_path):
    scorer = specify(tmp_path, "language: de\nhalting_phrase: Ab hier unsicher.").scorer()
    reference = {"subject": "Kenya"}
    assert [one.label for one in scorer.judge("Kenya is in Africa. **ab hier unsicher**", reference)] == [
        "correct",
        "halt",
    ]
    (other,) = scorer.judge(HALT_PHRASE, reference)
    assert (other.kind, other.label) == ("sentence", "unverifiable")
    assert "-de-" in scorer.fragmenter


def test_a_phrase_of_several_sentences(tmp_path):
    scorer = specify(tmp_path, "halting_phrase: I am not sure. I stop here.").scorer()
    judged = scorer.judge("Kenya is in Africa. I am not sure. I stop here.", {"subject": "Kenya"})
    assert [one.label for one in judged] == ["correct", "halt"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("halting_phrase: '…'", "letter or digit"),
        ("halting_phrase: 7", "expected text"),
        ("language: 7", "expected text"),
    ],
)
def test_a_wrong_key_of_a_domain_is_one_line(tmp_path, lines, says):
    with pytest.raises(InputError, match=says):
        specify(tmp_path, lines)


def test_only_sentences_and_claims_know_languages(tmp_path):
    (tmp_path / "domain.yaml").write_text(
        COUNTRIES.replace("fragmenter: sentences", "fragmenter: steps") + "language: de\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="sentences and claims"):
        load_domain(tmp_path)
