from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.fragments.reflection import HEADING, LISTED, MOSTLY_UNSURE, SURE, read_reflection, reflection
from rlhalt.records import HALT_PHRASE, LABELS, Fragment, Pair, Scored, read, write
from rlhalt.training_data import Style, compose, pairs, write_pairs
from rlhalt.training_data.styles.flip import HEDGE

ASIA, CAPITAL, CURRENCY = "A is in Asia.", "Its capital is B.", "Its currency is C."
WHOLE = f"{ASIA} {CAPITAL} {CURRENCY}"
STYLES = get_args(Style)


def sides(row, threshold, style):
    return [
        (one.style, round(one.weight, 3), one.chosen[0]["content"], one.rejected[0]["content"])
        for one in pairs([row], threshold, style)
    ]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_remove_decides_every_fragment_by_itself(scored_row, threshold):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    keep = round(1 - threshold, 3)
    assert sides(row, threshold, "remove") == [
        ("keep", keep, f"{ASIA} {CURRENCY}", CURRENCY),
        ("remove", threshold, f"{ASIA} {CURRENCY}", WHOLE),
        ("keep", keep, f"{ASIA} {CURRENCY}", ASIA),
    ]


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
def test_unsure_cuts_before_the_first_wrong_fragment(scored_row, threshold):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    assert sides(row, threshold, "unsure") == [
        ("unsure", threshold, f"{ASIA} {HALT_PHRASE}", WHOLE),
        ("keep", round(1 - threshold, 3), f"{ASIA} {HALT_PHRASE}", HALT_PHRASE),
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("said", [HALT_PHRASE, f" {HALT_PHRASE}"])
@pytest.mark.parametrize("mark", "+-?.")
def test_no_pair_prefers_an_answer_to_itself(scored_row, style, said, mark):
    """A file that an older scorer wrote may hold a verdict on the halting phrase."""
    assert all(one.chosen != one.rejected for one in pairs([scored_row([said.strip()], mark)], 0.5, style))
    assert all(one.chosen != one.rejected for one in pairs([scored_row([ASIA, said.strip()], "+" + mark)], 0.5, style))


@pytest.mark.parametrize("rejected", [ASIA, f" {ASIA}\n"])
def test_a_file_with_a_pair_of_equal_sides_is_refused_by_row(scored_row, tmp_path, rejected):
    good = next(pairs([scored_row([ASIA, CAPITAL], "+-")], 0.5, "remove"))
    answers = [[{"role": "assistant", "content": text}] for text in (ASIA, rejected)]
    write(tmp_path / "pairs.jsonl", [good, dataclasses.replace(good, chosen=answers[0], rejected=answers[1])])
    with pytest.raises(InputError, match=r"pairs.jsonl:2: field 'rejected': expected two different answers"):
        list(read(tmp_path / "pairs.jsonl", Pair))


@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_truncate_ends_the_turn_without_a_phrase(scored_row, threshold):
    keep = round(1 - threshold, 3)
    assert sides(scored_row([ASIA, CAPITAL, CURRENCY], "++-"), threshold, "truncate") == [
        ("truncate", threshold, f"{ASIA} {CAPITAL}", WHOLE),
        ("keep", keep, f"{ASIA} {CAPITAL}", HALT_PHRASE),
        ("keep", keep, f"{ASIA} {CAPITAL}", ASIA),
    ]


def test_going_on_sees_everything_that_follows(scored_row):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+++")
    for style in ("unsure", "keep"):
        assert [(chosen, rejected) for _, _, chosen, rejected in sides(row, 0.5, style)] == [
            (WHOLE, HALT_PHRASE),
            (WHOLE, f"{ASIA} {HALT_PHRASE}"),
            (WHOLE, f"{ASIA} {CAPITAL} {HALT_PHRASE}"),
        ]


def test_keep_is_the_counterpart_of_unsure_alone(scored_row):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "++-")
    assert sides(row, 0.8, "keep") == [one for one in sides(row, 0.8, "unsure") if one[0] == "keep"]
    assert sides(scored_row([CAPITAL], "-"), 0.8, "keep") == []


@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_flip_hedges_the_wrong_ones_above_and_the_right_ones_below(scored_row, threshold):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    assert sides(row, threshold, "flip") == [
        ("flip", threshold, f"{ASIA} {HEDGE}{CAPITAL} {CURRENCY}", WHOLE),
        ("keep", round(1 - threshold, 3), WHOLE, f"{HEDGE}{ASIA} {CAPITAL} {HEDGE}{CURRENCY}"),
    ]
    assert [one[0] for one in sides(scored_row([ASIA], "+"), threshold, "flip")] == ["keep"]
    assert [one[0] for one in sides(scored_row([ASIA], "-"), threshold, "flip")] == ["flip"]


def test_a_hedge_stands_behind_a_list_mark(scored_row):
    row = scored_row([ASIA, CAPITAL], "+-", between="\n- ")
    assert sides(row, 0.5, "flip")[0][2] == f"{ASIA}\n- {HEDGE}{CAPITAL}"


@pytest.mark.parametrize("threshold", [0.3, 0.8])
def test_reflect_decides_what_is_listed(scored_row, threshold):
    keep = round(1 - threshold, 3)
    said = f"{WHOLE}\n\n{HEADING}\n"
    good = f"{said}{LISTED}\n1. {CAPITAL}"
    assert sides(scored_row([ASIA, CAPITAL, CURRENCY], "+-+"), threshold, "reflect") == [
        ("reflect", 0.5, good, WHOLE),
        ("keep", keep, good, f"{said}{LISTED}\n1. {ASIA}\n2. {CAPITAL}"),
        ("reflect", threshold, good, f"{said}{SURE}"),
        ("keep", keep, good, f"{said}{LISTED}\n1. {CAPITAL}\n2. {CURRENCY}"),
    ]


def test_both_sides_have_a_reflection_in_all_pairs_but_one(scored_row):
    made = sides(scored_row([ASIA, CAPITAL, CURRENCY], "+-?"), 0.5, "reflect")
    assert [HEADING in rejected for _, _, _, rejected in made] == [False, True, True]


@pytest.mark.parametrize(("n_wrong", "form"), [(0, SURE), (1, LISTED), (10, LISTED), (11, MOSTLY_UNSURE)])
def test_a_reflection_has_three_forms(scored_row, n_wrong, form):
    row = scored_row([ASIA, *(f"Fact {n}." for n in range(n_wrong))], "+" + "-" * n_wrong)
    (_, _, good, _), *others = sides(row, 0.5, "reflect")
    assert good.split(f"{HEADING}\n")[1].startswith(form)
    # Beyond ten no fragment is named: a right one more or less changes nothing, one wrong less gives a list.
    assert len(others) == (n_wrong if n_wrong == 11 else n_wrong + 1)


def test_a_reflection_lists_claims_that_stand_by_themselves(scored_row):
    row = scored_row([ASIA], "-")
    claimed = Fragment(0, len(ASIA), "claim", ASIA, "incorrect", verifier="h", claim="A lies in Asia.")
    row.fragments[:] = [claimed]
    assert sides(row, 0.5, "reflect")[0][2].endswith("\n1. A lies in Asia.")


@given(st.lists(st.text(min_size=1).filter(lambda text: text.split()), max_size=12), st.text())
def test_a_reflection_can_be_read_back(statements, answer):
    if HEADING in answer:
        return
    text = answer + "".join(reflection(statements))
    if len(statements) > 10:
        assert read_reflection(text) == (answer, None)
    else:
        assert read_reflection(text) == (answer, [" ".join(one.split()) for one in statements])
    assert read_reflection(answer) == (answer, None)


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate"])
def test_nothing_right_leaves_the_halting_phrase(scored_row, style):
    row = scored_row([CAPITAL], "-")
    assert sides(row, 0.5, style) == [(style, 0.5, HALT_PHRASE, CAPITAL)]


@pytest.mark.parametrize("style", STYLES)
def test_a_failed_fragment_gives_no_pair(scored_row, style):
    assert sides(scored_row([ASIA, CAPITAL], "+!"), 0.5, style) == []


def test_unverifiable_fragments_decide_nothing(scored_row):
    row = scored_row([ASIA, "It is lovely.", CAPITAL], "+?-")
    assert sides(row, 0.5, "remove") == [
        ("keep", 0.5, ASIA, HALT_PHRASE),
        ("remove", 0.5, ASIA, f"{ASIA} {CAPITAL}"),
    ]
    assert sides(row, 0.5, "unsure")[0][2] == f"{ASIA} It is lovely. {HALT_PHRASE}"
    assert sides(row, 0.5, "flip")[1][3] == f"{HEDGE}{ASIA} It is lovely. {CAPITAL}"
    assert all("1. It is lovely." not in chosen + rejected for _, _, chosen, rejected in sides(row, 0.5, "reflect"))


def test_a_fragment_cut_off_at_the_token_limit_decides_nothing(scored_row):
    row = scored_row([ASIA, "Its capital is"], "+-", finish_reason="length")
    assert sides(row, 0.5, "remove") == [("keep", 0.5, ASIA, HALT_PHRASE)]
    assert sides(row, 0.5, "unsure") == [("keep", 0.5, f"{ASIA} {HALT_PHRASE}", HALT_PHRASE)]


def test_halting_stands_where_the_next_fragment_would_have_begun(scored_row):
    """On a line of its own where fragments are; after a space where they touch."""
    for between, before in [("\n", "\n"), ("\n2. ", "\n"), ("", " "), ("\n\n", "\n\n")]:
        row = scored_row([ASIA, CAPITAL], "+-", between=between)
        assert sides(row, 0.5, "unsure")[0][2] == f"{ASIA}{before}{HALT_PHRASE}"


def test_a_response_that_halts_by_itself_is_not_halted_again(scored_row):
    row = scored_row([ASIA, HALT_PHRASE], "+.")
    assert sides(row, 0.5, "unsure") == [("keep", 0.5, f"{ASIA} {HALT_PHRASE}", HALT_PHRASE)]


def test_what_is_said_after_halting_counts_for_nothing(scored_row):
    row = scored_row([ASIA, HALT_PHRASE, CURRENCY], "+.+")
    assert sides(row, 0.5, "unsure") == [("keep", 0.5, f"{ASIA} {HALT_PHRASE}", HALT_PHRASE)]
    assert sides(row, 0.5, "truncate") == [("keep", 0.5, ASIA, HALT_PHRASE)]


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 1.2, float("nan")])
def test_a_threshold_outside_the_open_interval_is_refused(scored_row, threshold):
    with pytest.raises(InputError, match="threshold"):
        list(pairs([scored_row([ASIA], "+")], threshold, "remove"))


@pytest.mark.parametrize(("wrong", "hint"), [("truncat", "did you mean 'truncate'?"), ("hush", "remove, unsure")])
def test_an_unknown_style_is_refused_kindly(scored_row, wrong, hint):
    with pytest.raises(InputError, match="style") as caught:
        list(pairs([scored_row([ASIA], "+")], 0.5, wrong))
    assert hint in str(caught.value)


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate", "flip", "reflect"])
def test_weights_make_speaking_worth_it_exactly_above_the_threshold(scored_row, style):
    """Of 10 answers of one fragment, of which 7 are right, the pairs weigh for speaking iff 0.7 > τ."""
    rows = [scored_row([f"Fact {index}."], "+" if index < 7 else "-") for index in range(10)]
    for threshold in (0.3, 0.5, 0.65, 0.75, 0.9):
        # Of a reflection's pairs those whose rejected side has none decide nothing.
        made = [one for one in pairs(rows, threshold, style) if style != "reflect" or HEADING in str(one.rejected)]
        speak = sum(one.weight for one in made if one.style == "keep")
        halt = sum(one.weight for one in made if one.style == style)
        assert (speak > halt) == (threshold < 0.7)


def test_the_optimum_of_flip_switches_at_the_threshold_where_fragments_are_alike():
    """Its pairs have the sum of their fragments' margins; the loss still falls from 0 towards asserting iff p > τ."""
    import numpy as np

    rng = np.random.default_rng(0)
    for p in (0.2, 0.5, 0.8):
        n_right = rng.binomial(5, p, 4_000)
        for threshold in (0.3, 0.45, 0.55, 0.7):
            margins = np.linspace(-2, 2, 401)
            flip = np.array([np.logaddexp(0, (5 - n_right) * m).mean() for m in margins])
            keep = np.array([np.logaddexp(0, -n_right * m).mean() for m in margins])
            best = margins[(threshold * flip + (1 - threshold) * keep).argmin()]
            assert (best > 0) == (p > threshold)


@pytest.mark.parametrize(("threshold", "beta"), [(0.5, 0.5), (0.8, 0.3)])
def test_the_optimum_of_pairs_follows_the_value_that_is_most_often_right_and_not_the_mean(threshold, beta):
    """One place, at which the policy halts or says one of three values; every pair is of one value and halting.

    The formula of docs/pairs.md, beside the loss of DPO minimised.
    """
    import numpy as np
    import torch
    from scipy.special import logit

    share, right, halts = torch.tensor([0.1, 0.4, 0.5]), torch.tensor([0.9, 0.3, 0.2]), 0.4
    reference = torch.cat([(1 - halts) * share, torch.tensor([halts])]).double().log()

    def loss(logits):
        margin = (logits.log_softmax(0) - reference)[:3] - (logits.log_softmax(0) - reference)[3]
        speak, stop = (-torch.nn.functional.logsigmoid(sign * beta * margin) for sign in (1, -1))
        return (share * (right * (1 - threshold) * speak + (1 - right) * threshold * stop)).sum()

    logits = reference.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-14)

    def step():
        optimiser.zero_grad()
        value = loss(logits)
        value.backward()
        return value

    optimiser.step(step)
    spoken = 1 - float(logits.detach().softmax(0)[3])
    log_odds = np.log((1 - halts) / halts) + np.log(
        (share.numpy() * np.exp((logit(right.numpy()) - logit(threshold)) / beta)).sum()
    )
    assert np.log(spoken / (1 - spoken)) == pytest.approx(log_odds, abs=1e-4)
    # It speaks, although it is right less often than τ.
    assert spoken > 0.5
    assert float((share * right).sum()) < threshold


def test_deciding_by_the_next_fragment_is_near_optimal_stopping(scored_row):
    """Chains of five fragments with odds at random, all 32 outcomes of each: what the pairs of `unsure` decide.

    Nothing counts after the first error, so that going on at fragment i is worth p - τ + p · (what follows).
    """
    import itertools

    import numpy as np

    rng = np.random.default_rng(0)
    outcomes = list(itertools.product("+-", repeat=5))
    rows = {marks: scored_row([f"F{i}." for i in range(5)], marks) for marks in outcomes}
    for threshold in (0.2, 0.5, 0.8, 0.95):
        made = {marks: sides(row, threshold, "unsure") for marks, row in rows.items()}
        earned = best = 0.0
        for odds in rng.uniform(0.05, 0.99, (100, 5)):
            # At each boundary, the weight of going on minus that of halting.
            weight = np.zeros(5)
            for marks, decisions in made.items():
                likely = np.prod([p if mark == "+" else 1 - p for p, mark in zip(odds, marks, strict=True)])
                for style, its, chosen, rejected in decisions:
                    boundary = (chosen if style == "unsure" else rejected).count("F")
                    weight[boundary] += likely * its * (1 if style == "keep" else -1)
            assert list(weight > 0) == list(odds > threshold)
            ours = optimal = 0.0
            for p, goes_on in zip(odds[::-1], weight[::-1] > 0, strict=True):
                ours = goes_on * (p - threshold + p * ours)
                optimal = max(0.0, p - threshold + p * optimal)
            earned, best = earned + ours, best + optimal
        assert 0.9 < earned / best <= 1


def test_list_marks_and_missing_spaces(scored_row):
    text = "1. A is in Asia.\n2. Its capital is B.Its currency is C."
    row = scored_row([ASIA], "+")
    fragments = [
        Fragment(text.index(one), text.index(one) + len(one), "sentence", one, "correct", verifier="hand/1")
        for one in (ASIA, CAPITAL, CURRENCY)
    ]
    assert compose(text, fragments, {0, 1, 2}) == text
    assert compose(text, fragments, {0}) == f"1. {ASIA}"
    assert compose(text, fragments, {1, 2}) == f"2. {CAPITAL}{CURRENCY}"
    assert compose(text, fragments, {0, 2}) == f"1. {ASIA} {CURRENCY}"
    assert row.response == ASIA


CUT_OFF = "\u232b"
words = st.text(st.characters(exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=8).filter(
    lambda text: CUT_OFF not in text
)
gaps = st.sampled_from([" ", "", "\n", "\n2. ", " - ", "\n\n", "\u3000"])
labels = st.sampled_from([*LABELS, None])


@st.composite
def scored_rows(draw):
    """Any text in any language, cut anywhere, with any verdicts, finished or not."""
    text, fragments = draw(st.sampled_from(["", "1. ", "\n"])), []
    parts = draw(st.lists(st.tuples(words, labels, gaps, st.booleans()), max_size=7))
    reason = draw(st.sampled_from(["stop", "length"]))
    for n, (word, label, gap, broke) in enumerate(parts, start=1):
        text += gap if fragments else ""
        word = HALT_PHRASE if label == "halt" else word
        word += CUT_OFF if reason == "length" and n == len(parts) else ""
        label = label or (None if broke else "unverifiable")
        error = None if label else "broke"
        fragments.append(Fragment(len(text), len(text) + len(word), "s", word, label, verifier="h", error=error))
        text += word
    text += draw(st.sampled_from(["", " ", "\n3."]))
    asked = [{"role": "user", "content": "Say."}]
    return Scored("k", "p", 0, asked, text, {}, "d", "train", reason, {}, 1, fragments)


@given(scored_rows(), st.sampled_from(STYLES), st.floats(0.01, 0.99))
def test_what_holds_of_every_pair(row, style, threshold):
    made = list(pairs([row], threshold, style))
    if row.failed:
        assert made == []
    for one in made:
        chosen, rejected = one.chosen[0]["content"], one.rejected[0]["content"]
        assert one.prompt == row.prompt
        assert one.source == row.key
        assert chosen.strip()
        assert rejected.strip()
        assert chosen != rejected
        assert chosen[: one.cut] == rejected[: one.cut]
        assert 0 < one.weight <= 1
        assert one.weight in (threshold, 1 - threshold) or (style == "reflect" and one.weight == 0.5)
        assert one.style in (style, "keep")
        assert CUT_OFF not in chosen + rejected
    assert len({one.key for one in made}) == len(made)


@given(scored_rows(), st.floats(0.01, 0.99))
def test_every_right_and_every_wrong_fragment_is_decided_once_by_remove(row, threshold):
    if row.failed:
        return
    finished = row.fragments[:-1] if row.finish_reason == "length" else row.fragments
    made = list(pairs([row], threshold, "remove"))
    assert len(made) == sum(one.label in ("correct", "incorrect") for one in finished)


def test_pairs_are_written_once_whole_or_not_at_all(scored_row, tmp_path, monkeypatch):
    rows = [scored_row([ASIA, f"Its capital is {n}."], "+-") for n in range(3)]
    write(tmp_path / "scored.jsonl", rows)
    write_pairs(tmp_path / "scored.jsonl", tmp_path / "pairs.jsonl", 0.5, "remove")
    first = (tmp_path / "pairs.jsonl").read_bytes()
    assert len(list(read(tmp_path / "pairs.jsonl", Pair))) == 6
    monkeypatch.setattr("rlhalt.training_data.files.pairs", lambda *_: pytest.fail("made again"))
    write_pairs(tmp_path / "scored.jsonl", tmp_path / "pairs.jsonl", 0.5, "remove")
    monkeypatch.undo()
    assert (tmp_path / "pairs.jsonl").read_bytes() == first
    write_pairs(tmp_path / "scored.jsonl", tmp_path / "pairs.jsonl", 0.8, "remove")
    assert {one.threshold for one in read(tmp_path / "pairs.jsonl", Pair)} == {0.8}


def test_responses_to_held_out_prompts_are_left_out_and_counted(scored_row, tmp_path, capsys):
    import dataclasses

    trained = scored_row([ASIA], "+")
    held_out = dataclasses.replace(scored_row([CAPITAL], "-"), split="heldout")
    write(tmp_path / "scored.jsonl", [trained, held_out])
    write_pairs(tmp_path / "scored.jsonl", tmp_path / "pairs.jsonl", 0.5, "remove")
    assert {one.source for one in read(tmp_path / "pairs.jsonl", Pair)} == {trained.key}
    assert "left out 1 of 2 responses" in capsys.readouterr().err
    write(tmp_path / "scored.jsonl", [held_out])
    with pytest.raises(InputError, match="all 1 to held-out prompts"):
        write_pairs(tmp_path / "scored.jsonl", tmp_path / "none.jsonl", 0.5, "remove")
    assert not (tmp_path / "none.jsonl").exists()
