from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from rlhalt import records
from rlhalt.errors import InputError, VerifierFailure
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Response, Scored
from rlhalt.training_data import pairs
from rlhalt.uncertainty.agreement import agreements
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import classifier, lexical, relations
from rlhalt.uncertainty.proxy_labels import mark_uncertain, score_uncertainty, unjudged

PAIRS = Path(__file__).parent / "nli_pairs.jsonl"


def respond(text, index=0):
    prompt = [{"role": "user", "content": "State five facts about Norway."}]
    return Response(f"k{index}{text}", "norway", index, prompt, text, {}, "countries", "train", "stop", {}, 10)


def labels(rows):
    return [[one.label for one in row.fragments] for row in rows]


def test_the_least_certain_quarter_is_taken_for_wrong(scored_row):
    rows = [scored_row(["One.", "Two.", "Three.", "Four."], "?-+?"), scored_row(["Five."], "!")]
    marked = mark_uncertain(rows, [[0.9, 0.2, 0.5, 0.7], [0.8]], "ccp/1")
    assert labels(marked) == [["correct", "incorrect", "correct", "correct"], ["correct"]]
    one, two, *_ = marked[0].fragments
    assert (one.verifier, one.probability) == ("ccp/1", 0.9)
    # How sure the proxy is of its verdict, as everywhere: of "incorrect" it is surer, the less certain the policy.
    assert two.probability == pytest.approx(0.8)
    assert two.evidence == "a proxy, not checked: certainty 0.2, below the limit 0.5 of this data set"
    # What an earlier verifier said, or why it failed, is gone.
    assert marked[1].fragments[0].error is None


def test_the_limit_is_units(scored_row):
    """Uncertain ⇔ U = -CCP above the 75th percentile of U over all fragments of the data set."""
    import numpy as np

    values = np.random.default_rng(0).random(101)
    rows = [scored_row(["One."], "?") for _ in values]
    marked = mark_uncertain(rows, [[one] for one in values.tolist()], "ccp/1")
    uncertain = [row.fragments[0].label == "incorrect" for row in marked]
    assert uncertain == (-values > np.quantile(-values, 0.75)).tolist()
    assert sum(uncertain) == 25


def test_halts_and_what_has_no_certainty_neither_count_nor_are_judged(scored_row):
    rows = [scored_row(["One.", "Two.", HALT_PHRASE], "??."), scored_row(["Three.", "Four."], "??")]
    marked = mark_uncertain(rows, [[0.9, math.nan, 0.0], [0.6, 0.7]], "ccp/1", quantile=0.5)
    assert labels(marked) == [["correct", "unverifiable", "halt"], ["incorrect", "correct"]]


@pytest.mark.parametrize(
    ("certainty", "quantile", "message"),
    [
        ([[0.5]], 0.75, "one certainty for every fragment"),
        ([[0.5, 1.5]], 0.75, "between 0 and 1, found 1.5"),
        ([[0.5, -0.5]], 0.75, "between 0 and 1, found -0.5"),
        ([[0.5, 0.6]], 1.0, "quantile between 0 and 1, found 1.0"),
        ([[0.5, 0.5]], 0.75, "found 100% with the lowest certainty 0.5; take a lower quantile"),
    ],
)
def test_what_cannot_be_marked(scored_row, certainty, quantile, message):
    with pytest.raises(InputError, match=message):
        mark_uncertain([scored_row(["One.", "Two."], "??")], certainty, "ccp/1", quantile)


def test_nothing_to_mark(scored_row):
    assert mark_uncertain([], [], "ccp/1") == []
    halting = scored_row([HALT_PHRASE], ".")
    assert labels(mark_uncertain([halting], [[0.5]], "ccp/1")) == [["halt"]]


def test_from_responses_to_pairs(tmp_path, tiny_model):
    """sample → score by a proxy → pairs, with the policy's own alternatives; every row says that it is a proxy."""
    texts = [
        "Norway is in Europe. The capital of Norway is Oslo. Norway borders Sweden.",
        "Norway is in Europe. The capital of Norway is Bergen. Unsure from here.",
    ]
    records.write(tmp_path / "responses.jsonl", [respond(text, index) for index, text in enumerate(texts)])
    asked = []

    def certainty(rows):
        asked.append(len(rows))
        assert all(one.label is None and one.error is None for row in rows for one in row.fragments)
        return ccp(alternatives(str(tiny_model), rows), lexical)

    for _ in range(2):  # done already is not done again
        score_uncertainty(tmp_path / "responses.jsonl", tmp_path / "scored.jsonl", sentences, certainty, "ccp/1")
    assert asked == [2]
    rows = list(records.read(tmp_path / "scored.jsonl", Scored))
    assert [row.key for row in rows] == [f"k{index}{text}" for index, text in enumerate(texts)]
    found = [one for row in rows for one in row.fragments]
    assert {one.verifier for one in found} == {"ccp/1"}
    assert [one.label for one in found].count("incorrect") == 1
    assert found[-1].label == "halt"
    assert all("a proxy, not checked" in one.evidence for one in found[:-1])
    made = list(pairs(rows, threshold=0.5, style="remove"))
    assert {one.style for one in made} == {"remove", "keep"}
    assert json.loads((tmp_path / "scored.run.json").read_text())["config"]["proxy"] is True


def test_a_broken_model_writes_nothing(tmp_path):
    records.write(tmp_path / "responses.jsonl", [respond("Norway is in Europe."), respond("Norway is in Asia.", 1)])

    def certainty(rows):
        return ([one.support for one in row] for row in agreements(rows, lambda pairs: []))

    with pytest.raises(VerifierFailure):
        score_uncertainty(tmp_path / "responses.jsonl", tmp_path / "scored.jsonl", sentences, certainty, "agreement/1")
    assert not (tmp_path / "scored.jsonl").exists()


def test_unjudged_rows_lose_nothing():
    response = respond("Norway is in Europe. It borders Sweden.")
    [row] = unjudged([response], sentences)
    assert dataclasses.asdict(response).items() <= dataclasses.asdict(row).items()
    assert row.fragments == sentences(response.response)


@pytest.mark.parametrize(
    ("premise", "hypothesis", "expected"),
    [
        ("The capital of Kenya is Nairobi.", "The capital of Kenya is Nairobi.", "entailment"),
        ("The currency of Kenya is the Shilling", "the currency of Kenya is shilling.", "entailment"),
        ("The capital of Kenya is Nairobi.", "The capital of Kenya is Mombasa.", "contradiction"),
        ("Kenya has a population of about 50 million.", "Kenya has a population of about 12 million.", "contradiction"),
        ("Kenya has a population of 1.5 million.", "Kenya has a population of 1.2 million.", "contradiction"),
        ("Kenya is in East Africa.", "Kenya is in Africa.", "entailment"),
        ("Kenya is in Africa.", "Kenya is in East Africa.", "neutral"),
        ("Kenya is in Africa.", "Kenya is in Europe.", "contradiction"),
        ("Kenya is in Africa.", "Kenya is a country.", "neutral"),
        ("The capital of Kenya is Nairobi.", "The capital of Uganda is Kampala.", "neutral"),
        ("The capital of Kenya is Nairobi.", "Kenya has a population of 50 million.", "neutral"),
        # The beginning of a claim, as CCP compares it.
        ("The capital of Kenya is Nai", "The capital of Kenya is Mo", "contradiction"),
        ("The capital of Kenya is Nai", "The capital of Kenya is N", "neutral"),
        ("The capital of Kenya is Nairobi", "The capital of Kenya is the", "neutral"),
        ("The capital of Kenya is Nairobi", "The capital of Kenya has", "neutral"),
        ("The capital of Kenya is in Nairobi", "The capital of Kenya is", "neutral"),
        # Known to be wrong: a country borders more than one.
        ("Kenya borders Uganda.", "Kenya borders Tanzania.", "contradiction"),
        ("", "", "entailment"),
        ("", "Kenya", "neutral"),
    ],
)
def test_the_lexical_comparison(premise, hypothesis, expected):
    assert lexical([(premise, hypothesis)]) == [expected]


def test_the_lexical_comparison_keeps_its_accuracy_on_labelled_pairs():
    """110 pairs of sentences that SmolLM2 wrote, labelled by hand; docs/uncertainty.md has the table."""
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    answers = lexical([(row["premise"], row["hypothesis"]) for row in rows])
    right = [row["relation"] == answer for row, answer in zip(rows, answers, strict=True)]
    assert sum(right) / len(right) >= 0.9


def test_every_pair_is_asked_for_once():
    asked = []

    def nli(pairs):
        asked.extend(pairs)
        return lexical(pairs)

    found = relations(nli, [("a", "b"), ("b", "a"), ("a", "b")])
    assert asked == [("a", "b"), ("b", "a")]
    assert set(found) == set(asked)
    assert relations(lambda pairs: pytest.fail("nothing to ask"), []) == {}


@pytest.fixture(scope="module")
def tiny_classifier(tiny_model, tmp_path_factory):
    """A sequence classifier of one layer with MNLI's labels in DeBERTa's spelling and order; weights are random."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    def save(names):
        folder = tmp_path_factory.mktemp("classifier")
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        torch.manual_seed(1)
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            pad_token_id=tokenizer.pad_token_id,
            id2label=dict(enumerate(names)),
            initializer_range=1.0,
        )
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return save


def test_a_trained_classifier_is_an_nli_model(tiny_classifier):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = str(tiny_classifier(["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]))
    texts = [("Norway is in Europe.", "Norway is in Asia."), ("Oslo", "The capital"), ("a", "b")] * 20
    texts += [(f"premise {index}", f"hypothesis {index * 7}") for index in range(20)]
    found = classifier(folder)(texts)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = ["contradiction", "neutral", "entailment"]
    with torch.no_grad():
        alone = [names[model(**tokenizer(*pair, return_tensors="pt")).logits.argmax().item()] for pair in texts]
    assert found == alone
    assert set(found) == set(names)


def test_a_classifier_of_something_else_is_refused(tiny_classifier):
    with pytest.raises(InputError, match="found label_0, label_1"):
        classifier(str(tiny_classifier(["LABEL_0", "LABEL_1"])))
