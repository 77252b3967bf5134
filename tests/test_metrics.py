"""Counts and measures against tables worked by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.domains import countries
from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import estimate, weights
from rlhalt.evaluation.counts import count, median_claims, per_prompt, pool
from rlhalt.evaluation.longform import f1_at
from rlhalt.evaluation.metrics import DEFINITIONS, f1, measure, strict_utility, utility
from rlhalt.fragments.reflection import reflection
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Continuation, Fragment, Scored
from rlhalt.reference import n_asked, n_desired

LABELS = {"c": "correct", "i": "incorrect", "u": "unverifiable", "h": "halt", "f": None, "-": None}


def scored(labels, prompt="p", index=0, texts=None, finish_reason="stop", n_tokens=10):
    """A response whose fragments have these labels, one letter each: f is failed, - not judged yet."""
    fragments, response = [], ""
    for i, letter in enumerate(labels):
        text = texts[i] if texts else f"fact {i}."
        fragments.append(
            Fragment(
                start=len(response),
                end=len(response) + len(text),
                kind="sentence",
                text=text,
                label=LABELS[letter],
                error="timed out" if letter == "f" else None,
            )
        )
        response += text + " "
    return Scored(
        key=f"{prompt}-{index}",
        prompt_key=prompt,
        index=index,
        prompt=[{"role": "user", "content": prompt}],
        response=response,
        reference={},
        domain="countries",
        split="heldout",
        finish_reason=finish_reason,
        sampler={"temperature": 0.0},
        n_tokens=n_tokens,
        fragments=fragments,
    )


def values(draws):
    return {name: estimate(one).value for name, one in draws.items()}


def only(rows, prompts, base=None, continuations=None):
    counts = per_prompt(rows, prompts, continuations)
    against = per_prompt(base, prompts) if base else counts
    return values(measure(counts, against, weights(len(prompts), 0, 10)))


def test_a_response_in_numbers():
    counts = count(scored("cciuhf-"))
    assert (counts.correct, counts.incorrect, counts.unverifiable, counts.failed) == (2, 1, 1, 1)
    assert (counts.claims, counts.halted, counts.empty, counts.tokens) == (4, 1, 0, 10)


def test_what_does_not_earn_does_not_count():
    after_a_halt = count(scored("chci"))
    assert (after_a_halt.correct, after_a_halt.incorrect) == (1, 1)
    after_an_error = count(scored("cicc"), halting="causal")
    assert (after_an_error.correct, after_an_error.incorrect, after_an_error.claims) == (1, 1, 4)
    assert count(scored("cih"), halting="causal").halted == 1
    asked = [dataclasses.replace(scored(labels), reference={"n_asked": 2}) for labels in ("uccc", "ccci")]
    assert [(one.correct, one.incorrect, one.unverifiable) for one in map(count, asked)] == [(2, 0, 2), (2, 1, 1)]
    said_twice = count(scored("ccc", texts=["So it is.", "so it is", "Or not."]))
    assert (said_twice.correct, said_twice.duplicates) == (2, 1)


@pytest.mark.parametrize("labels", ["", "h", "f", "-"], ids=["nothing", "halt", "failed", "not judged"])
def test_a_response_without_claims_is_empty(labels):
    assert count(scored(labels)).empty == 1


def test_a_claim_is_a_repetition_whatever_its_case_and_punctuation():
    texts = ["Paris is big.", "paris  is big", "Rome is big.", "Paris is BIG!"]
    assert count(scored("ccic", texts=texts)).duplicates == 2


def test_only_claims_repeat():
    assert count(scored("chh", texts=["Unsure.", "Unsure.", "Unsure."])).duplicates == 0


def test_measures_of_two_prompts_by_hand():
    base = [scored("ccci", "a"), scored("ciii", "b")]
    model = [scored("cch", "a", n_tokens=6), scored("cih", "b", n_tokens=8)]
    found = only(model, ["a", "b"], base)
    assert found["correctness"] == pytest.approx(3 / 4)
    assert found["correctness_macro"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["completeness"] == pytest.approx(3 / 4)
    assert found["f1"] == pytest.approx(3 / 4)
    assert found["completeness_macro"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["f1_macro"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found["factscore"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["factscore_penalised"] == pytest.approx((np.exp(1 - 10 / 2) * (1 + 1 / 2)) / 2)
    assert found["right"] == pytest.approx(1.5)
    assert found["wrong"] == pytest.approx(0.5)
    assert found["claims"] == pytest.approx(2)
    assert found["tokens"] == pytest.approx(7)
    assert (found["halt_rate"], found["empty_share"], found["duplicate_share"]) == (1, 0, 0)
    assert set(found) == set(DEFINITIONS)


def test_the_f1_at_k_of_responses_is_that_of_their_claims():
    rows = [scored("ccu", "a"), scored("i", "b"), scored("h", "c")]
    counts = per_prompt(rows, ["a", "b", "c"], wanted=median_claims(rows, "independent"))
    assert median_claims(rows, "independent") == 1
    one, nothing, silent = 2 * (2 / 3) / (2 / 3 + 1), 0, 0
    found = values(measure(counts, counts, weights(3, 0, 10)))
    assert found["f1_at_k"] == pytest.approx((one + nothing + silent) / 3)
    assert median_claims([], "independent") is None


def test_reflections_that_list_what_is_wrong():
    texts = ["Fact one.", "Fact two.", "Fact three."]
    row = scored("cic", "a", texts=texts)
    text = "".join(reflection(["Fact two.", "Fact three."]))
    honest = dataclasses.replace(row, response=row.response.rstrip() + text)
    assert only([honest], ["a"])["reflection_accuracy"] == pytest.approx((1 / 1 + 1 / 2) / 2)
    assert only([row], ["a"])["reflection_accuracy"] is None


def test_a_prompt_weighs_the_same_however_often_it_was_sampled():
    rows = [scored("c", "a", 0), scored("i", "b", 0), scored("i", "b", 1), scored("i", "b", 2)]
    assert only(rows, ["a", "b"])["correctness"] == pytest.approx(1 / 2)


def test_failed_fragments_are_neither_right_nor_wrong():
    found = only([scored("cf", "a")], ["a"])
    assert found["correctness"] == 1
    assert found["failed_share"] == 1 / 2
    assert found["claims"] == 1


def test_seeds_are_averaged():
    one, other = per_prompt([scored("cc", "a")], ["a"]), per_prompt([scored("ii", "a")], ["a"])
    assert pool([one, other])["correct"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("labels", "threshold", "expected"),
    [
        ("c", 0.8, 0.2),
        ("i", 0.8, -0.8),
        ("cciuhf", 0.5, 0.5),
        ("", 0.5, 0.0),
        ("h", 0.3, 0.0),
    ],
)
def test_utility_by_hand(labels, threshold, expected):
    counts = per_prompt([scored(labels, "a")], ["a"])
    assert utility(counts, weights(1, 0), threshold)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("correctness", "completeness", "expected"),
    [(1.0, 0.5, 2 / 3), (0.5, 1.4, 2 / 3), (0.0, 0.0, 0.0), (np.nan, 0.0, np.nan), (0.5, np.nan, np.nan)],
    ids=["plain", "completeness capped", "nothing right", "no claims", "base has nothing right"],
)
def test_f1(correctness, completeness, expected):
    found = f1(np.array([correctness]), np.array([completeness]))
    assert found == pytest.approx([expected], nan_ok=True)


def test_a_silent_model_has_no_correctness_but_everything_else():
    found = only([scored("h", "a"), scored("", "b")], ["a", "b"], base=[scored("c", "a"), scored("i", "b")])
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == {
        *("correctness", "correctness_macro", "f1", "factscore", "factscore_penalised", "reflection_accuracy"),
        *(
            "completeness_full",
            "f1_at_k",
            "f1_full",
            "vague_share",
            "duplicate_share",
            "failed_share",
            "over_abstention",
        ),
    }
    assert (found["completeness"], found["completeness_macro"], found["f1_macro"], found["empty_share"]) == (0, 0, 0, 1)
    assert (found["prudence"], found["over_conservativeness"], found["honesty"]) == (1, 1, 1 / 2)
    assert (found["abstention_precision"], found["abstention_recall"], found["truthfulness"]) == (1 / 2, 1, 0)


def test_completeness_is_not_defined_where_base_gets_nothing_right():
    found = only([scored("c", "a")], ["a"], base=[scored("i", "a")])
    assert found["completeness"] is None
    assert found["f1"] is None


@pytest.mark.parametrize(
    ("reference", "n"),
    [
        ({"subject": "Kenya"}, None),
        ({"n_desired": 1}, 1),
        ({"n_asked": 4}, 4),
        ({"n_asked": 4, "n_desired": 3}, 3),
    ],
)
def test_what_a_full_answer_has(reference, n):
    assert n_desired(reference) == n


@pytest.mark.parametrize("said", [0, -1, "five", True, 2.5, None])
def test_a_full_answer_has_a_whole_number_of_facts(said):
    with pytest.raises(InputError, match=r"n_desired': expected a whole number above 0"):
        n_desired({"n_desired": said})


def test_the_question_about_a_country_asks_for_as_many_facts_as_count():
    assert "five facts" in countries.prompts()[0].prompt[0]["content"]
    assert n_asked(countries.prompts()[0].reference) == 5
    assert n_desired(countries.prompts()[0].reference) == 5 == len(sentences(countries.FEW_SHOT["France"]))


def test_completeness_of_a_full_answer_by_hand():
    def asking(labels, prompt, n, index=0):
        return dataclasses.replace(scored(labels, prompt, index), reference={"n_desired": n} if n else {}, domain="d")

    # a: (2 + 4 of 4) / 2 = 3 of 4; b: 1 of 2 although 5 are right elsewhere; c: nobody knows.
    rows = [asking("cci", "a", 4), asking("cccccc", "a", 4, 1), asking("ci", "b", 2), asking("cc", "c", None)]
    found = only(rows, ["a", "b", "c"])
    assert found["completeness_full"] == pytest.approx((3 + 1) / (4 + 2))
    correctness = found["correctness"]
    assert found["f1_full"] == pytest.approx(2 * correctness * (2 / 3) / (correctness + 2 / 3))
    nobody = only([asking("cc", "c", None)], ["c"])
    assert (nobody["completeness_full"], nobody["f1_full"]) == (None, None)
    silent = only([asking("h", "a", 4)], ["a"])
    assert (silent["completeness_full"], silent["f1_full"]) == (0, None)


def test_over_abstention_counts_endings_where_base_would_have_been_right():
    rows = [scored("ch", p) for p in "abcde"]
    rows.append(scored("c", "f", finish_reason="length"))
    said = {
        "a-0": Continuation("a-0", "More.", "correct"),
        "b-0": Continuation("b-0", "More.", "incorrect"),
        "c-0": Continuation("c-0", "More.", "unverifiable"),
        "d-0": Continuation("d-0", "", None),
        "e-0": Continuation("e-0", "The verifier broke.", None),
        "f-0": Continuation("f-0", "It was cut off, it did not end.", "correct"),
    }
    assert only(rows, list("abcdef"), continuations=said)["over_abstention"] == pytest.approx(1 / 3)


UNBOUNDED = {"completeness", "right", "wrong", "unverifiable", "claims", "tokens"}
letters = st.text("ciuhf", max_size=6)


@pytest.mark.parametrize("halting", ["independent", "causal"])
@given(st.lists(st.tuples(letters, letters), min_size=1, max_size=5))
def test_every_measure_is_in_its_range_or_not_defined(halting, answered):
    """Of any responses and in every resample; the macro ones besides against their sums over prompts."""
    keys = [str(place) for place in range(len(answered))]
    base, model = (list(map(scored, side, keys)) for side in zip(*answered, strict=True))
    counts, against = (per_prompt(rows, keys, halting=halting, wanted=2) for rows in (model, base))
    draws = measure(counts, against, weights(len(keys), 0, 20))
    for name, its in draws.items():
        known = its[np.isfinite(its)]
        low = -1 if name == "truthfulness" else 0
        assert (known >= low - 1e-12).all(), name
        assert name in UNBOUNDED or (known <= 1 + 1e-12).all(), name
        assert not np.isinf(its).any(), name
    ours, theirs = ([count(row, halting=halting) for row in rows] for rows in (model, base))
    pairs = [(one, other) for one, other in zip(ours, theirs, strict=True) if other.correct]
    kept = [min(one.correct / other.correct, 1) for one, other in pairs]
    right = [one.correct / (one.correct + one.incorrect) if one.correct else 0.0 for one, _ in pairs]
    spoken = [one for one in ours if one.claims]
    expected = {
        "completeness_macro": kept,
        "f1_macro": [2 / (1 / r + 1 / p) if r else 0.0 for r, p in zip(kept, right, strict=True)],
        "factscore": [one.correct / one.claims for one in spoken],
        "f1_at_k": [f1_at(2, one.correct, one.claims) for one in ours],
    }
    for name, values_ in expected.items():
        assert draws[name][0] == pytest.approx(np.mean(values_) if values_ else np.nan, nan_ok=True), name


MARKS = st.lists(st.sampled_from("ciuhf"), max_size=8)


def by_hand(labels, threshold, halting, asked, finish_reason):
    """The utility of a response, told fragment by fragment."""
    earned, places, halted, wrong, broken = 0.0, 0, False, False, False
    for letter in labels:
        if wrong and halting == "causal":
            break
        if letter == "f" and halting == "causal":
            broken = True
        if broken:
            continue
        beyond = halting == "independent" and asked is not None and places >= asked
        if letter == "c" and not halted and not beyond:
            earned, places = earned + 1 - threshold, places + 1
        if letter == "i":
            earned, places, wrong = earned - threshold, places + 1, True
        halted |= letter == "h"
    paid = wrong if halting == "causal" else labels[-1:] == ["i"]
    return earned - threshold * (finish_reason == "length" and not paid)


def utility_of(row, threshold, halting, measure=utility):
    return measure(per_prompt([row], ["p"], halting=halting), weights(1, 0), threshold)[0]


@pytest.mark.parametrize("halting", ["independent", "causal"])
@given(MARKS, st.none() | st.integers(1, 4), st.floats(0.05, 0.95), st.sampled_from(["stop", "length"]))
def test_utility_is_within_what_was_asked_and_being_cut_off_has_a_price(halting, labels, asked, threshold, reason):
    row = scored(labels, finish_reason=reason)
    row = dataclasses.replace(row, reference={} if asked is None else {"n_asked": asked})
    expected = by_hand(labels, threshold, halting, asked, reason)
    assert utility_of(row, threshold, halting) == pytest.approx(expected)
    # Judged wrong wherever it could not be checked, by hand.
    strict = by_hand(["i" if one == "u" else one for one in labels], threshold, halting, asked, reason)
    assert utility_of(row, threshold, halting, strict_utility) == pytest.approx(strict)


@pytest.mark.parametrize("reason", ["stop", "length"])
@given(MARKS, MARKS, st.integers(1, 3), st.floats(0.05, 0.95))
def test_more_than_was_asked_for_never_earns_more(reason, labels, more, asked, threshold):
    """Listing on, right or wrong, to the limit or not: once the places are taken nothing is gained."""
    full = ["c"] * asked + [one for one in labels if one not in "hf"]
    rows = [
        dataclasses.replace(scored(one, finish_reason=how), reference={"n_asked": asked})
        for one, how in ((full, "stop"), (full + more, reason))
    ]
    short, long = (utility_of(row, threshold, "independent") for row in rows)
    assert long <= short + 1e-12


def test_a_response_that_is_cut_off_is_no_better_than_one_that_ends():
    ended, cut = scored("cc"), scored("ccu", finish_reason="length")
    assert utility_of(ended, 0.5, "independent") == 1
    assert utility_of(cut, 0.5, "independent") == 0.5
    # Paid once: what was cut off within a wrong claim costs τ already.
    assert utility_of(scored("cci", finish_reason="length"), 0.5, "independent") == 0.5
    assert utility_of(scored("cicu", finish_reason="length"), 0.5, "causal") == 0
    counts = per_prompt([cut], ["p"])
    assert measure(counts, counts, weights(1, 0))["cut_off_share"][0] == 1
    assert measure(counts, counts, weights(1, 0))["wrong"][0] == 0


def test_verdicts_that_are_known_already_are_not_counted_again():
    row = scored("cic")
    assert count(row, labels=["correct", "correct", "correct"]).correct == 3
