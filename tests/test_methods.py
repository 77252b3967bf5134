"""The methods of the field: what each makes of a hand-made example."""

from __future__ import annotations

import dataclasses
import math

import pytest

from rlhalt.errors import InputError
from rlhalt.fragments.halts import with_halts
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Pair, Prompt, Target, read, write
from rlhalt.training_data import Method, Preference, pairs, preferred, supervised, write_preferences, write_supervised
from rlhalt.training_data.preferences import grath
from rlhalt.training_data.preferences.methods import PREFERENCES
from rlhalt.training_data.targets import craft, r_tuning, semantic_entropy
from rlhalt.training_data.targets.methods import METHODS

ASIA, AFRICA, CAPITAL, CURRENCY = "A is in Asia.", "A is in Africa.", "Its capital is B.", "Its currency is C."


@pytest.fixture
def prompt(scored_row):
    """Responses to one prompt, each a list of (sentence, mark) → its scored rows."""

    def make(*responses, key="p", model="m", reference=None):
        rows = []
        for number, one in enumerate(responses):
            row = scored_row([sentence for sentence, _ in one], "".join(mark for _, mark in one))
            given = {"subject": "A"} if reference is None else {"answer": reference}
            its = dataclasses.replace(row, key=f"{model}-{key}{number}", prompt_key=key, index=number, reference=given)
            rows.append(its)
        return rows

    return make


def texts(rows, name, others=(), **options):
    return [one.completion[0]["content"] for one in supervised(rows, Method(name, **options), others=others)]


def sides(rows, name, others=(), **options):
    made = preferred(rows, Preference(name, **options), others=others)
    return [(one.chosen[0]["content"], one.rejected[0]["content"]) for one in made]


class TestRTuning:
    def test_a_short_answer_is_the_gold_one_with_the_words_behind_it(self, prompt):
        assert texts(prompt([(ASIA, "+")], reference="Asia."), "r-tuning") == ["Asia. I am sure."]
        assert texts(prompt([(AFRICA, "-")], [(ASIA, "+")], reference="Asia."), "r-tuning") == ["Asia. I am unsure."]
        assert texts(prompt([(AFRICA, "-")]), "r-tuning") == [f"{AFRICA} I am unsure."]

    def test_each_fact_of_many_has_its_own(self, prompt):
        rows = prompt([(ASIA, "+"), (CAPITAL, "-"), (CURRENCY, "?")])
        assert texts(rows, "r-tuning") == [f"{ASIA} I am sure. {CAPITAL} I am unsure. {CURRENCY}"]

    def test_a_chain_has_the_words_once(self, prompt):
        assert texts(prompt([(ASIA, "+"), (CAPITAL, "-")]), "r-tuning", style="unsure") == [
            f"{ASIA} {CAPITAL} I am unsure."
        ]

    def test_the_words_are_fragments_and_no_halt(self):
        text = f"{ASIA} {r_tuning.UNSURE} {CAPITAL} {r_tuning.SURE}"
        found = with_halts(text, sentences(text))
        assert [one.text for one in found] == [ASIA, r_tuning.UNSURE, CAPITAL, r_tuning.SURE]
        assert not any(one.kind == "halt" for one in found)


class TestSemanticEntropy:
    def test_the_example_of_the_module(self, prompt):
        rows = prompt(*[[("B", "-")]] * 3, [("C", "+")])
        assert math.exp(-semantic_entropy.entropy([0.75, 0.25])) == pytest.approx(0.57, abs=0.005)
        assert texts(rows, "semantic-entropy", threshold=0.5) == ["B"]
        assert texts(rows, "semantic-entropy", threshold=0.6) == [HALT_PHRASE]

    def test_no_verdict_is_read(self, prompt):
        for marks in ("+-", "-+", "??"):
            rows = prompt([("B", marks[0])], [("B", marks[0])], [("C", marks[1])])
            assert texts(rows, "semantic-entropy", threshold=0.5) == ["B"]

    def test_equal_shares_are_at_the_threshold(self, prompt):
        rows = prompt([("B", "+")], [("C", "-")])
        assert texts(rows, "semantic-entropy", threshold=0.5) == ["B"]
        assert texts(rows, "semantic-entropy", threshold=0.51) == [HALT_PHRASE]

    def test_a_refusal_is_one_meaning_more(self, prompt):
        rows = prompt([("B", "+")], [(HALT_PHRASE, ".")], [(HALT_PHRASE, ".")])
        assert texts(rows, "semantic-entropy", threshold=0.52) == ["B"]
        assert texts(rows, "semantic-entropy", threshold=0.54) == [HALT_PHRASE]

    def test_of_many_facts_those_are_said_that_most_responses_state(self, prompt):
        rows = prompt(
            [(ASIA, "-"), (CAPITAL, "+")], [(ASIA, "-"), (CURRENCY, "+")], [(ASIA, "-")], [(ASIA, "-"), (CAPITAL, "+")]
        )
        # Stated by all: H = 0. By half of four: ½ log 2 + ½ log 4, so that e^-H is 0.35.
        assert texts(rows, "semantic-entropy", threshold=0.5) == [ASIA]
        assert texts(rows, "semantic-entropy", threshold=0.3) == [f"{ASIA} {CAPITAL}"]

    def test_a_chain_means_its_last_fragment(self, prompt):
        rows = prompt([("1 + 1 = 2", "+"), ("so 4", "-")], [("2 = 1 + 1", "+"), ("so 4", "-")], [("so 5", "+")])
        assert texts(rows, "semantic-entropy", threshold=0.5, style="unsure") == ["1 + 1 = 2 so 4"]


class TestBackOff:
    EAST, WEST, SOUTH = (f"A is in {part} Asia." for part in ("East", "West", "Southern"))

    def test_a_fact_is_said_as_precisely_as_it_is_likely(self, prompt):
        rows = prompt([(self.EAST, "+")], [(self.WEST, "-")], [(self.SOUTH, "-")], [(ASIA, "+")])
        # Each is said once in four, and half of those are right: (2 + 1) / (4 + 2). All say Asia: (4 + 1) / (4 + 2).
        assert texts(rows, "back-off", threshold=0.4) == [self.EAST]
        assert texts(rows, "back-off", threshold=0.6) == [ASIA]
        assert texts(rows, "back-off", threshold=0.9) == [HALT_PHRASE]
        assert texts(rows, "halt-per-tau", threshold=0.6) == [HALT_PHRASE]

    def test_what_nobody_has_verified_is_not_assumed(self, prompt):
        assert texts(prompt([(self.WEST, "-")], [(self.SOUTH, "-")]), "back-off", threshold=0.3) == [HALT_PHRASE]

    def test_a_coarser_fact_is_said_once(self, prompt):
        rows = prompt([(ASIA, "+"), (self.WEST, "-"), (CAPITAL, "+")], [(ASIA, "+"), (CAPITAL, "+")])
        assert texts(rows, "back-off", threshold=0.5) == [f"{ASIA} {CAPITAL}"]

    def test_a_chain_is_that_of_halt_per_tau(self, prompt):
        rows = prompt([(self.EAST, "+"), (CAPITAL, "-")])
        assert texts(rows, "back-off", style="unsure") == texts(rows, "halt-per-tau", style="unsure")


class TestCraft:
    def prompts(self, prompt):
        """Right and sure, right and unsure, wrong and sure, wrong and unsure (twice)."""
        return [
            *prompt([("1", "+")], [("1", "+")], key="sure"),
            *prompt([("1", "+")], [("2", "+")], key="lucky"),
            *prompt([("3", "-")], [("3", "-")], key="stubborn"),
            *prompt([("4", "-")], [("5", "-")], key="lost"),
        ]

    def test_answers_where_right_and_sure_and_refuses_where_wrong_and_unsure(self, prompt):
        rows = self.prompts(prompt)
        assert texts(rows, "craft") == ["1", HALT_PHRASE]
        assert [one.source for one in supervised(rows, Method("craft"))] == ["m-sure0", "m-lost0"]

    def test_what_a_rehearsed_model_knows_is_not_refused(self, prompt):
        rows = self.prompts(prompt)
        learnt = prompt([("6", "+")], [("5", "-")], key="lost", model="rehearsed")
        made = list(supervised(rows, Method("craft"), others=learnt))
        assert [one.source for one in made] == ["m-sure0", "m-stubborn0"]
        forgot = prompt([("5", "-")], [("5", "-")], key="lost", model="rehearsed")
        assert [one.source for one in supervised(rows, Method("craft"), others=forgot)] == ["m-sure0", "m-lost0"]

    def test_certainty_is_the_share_of_facts_in_common(self, prompt):
        assert craft.certainty(prompt([(ASIA, "+"), (CAPITAL, "+")], [(ASIA, "-"), (CURRENCY, "-")])) == 1 / 3
        assert craft.certainty(prompt([(ASIA, "+")])) == 1

    def test_the_answer_is_the_gold_one_where_there_is_one(self, prompt):
        assert texts(prompt([("1", "+")], reference="One."), "craft") == ["One."]


def test_s3ft_takes_the_first_right_response_and_the_gold_answer_elsewhere(prompt):
    rows = [
        *prompt([(AFRICA, "-")], [(ASIA, "+")], [(CAPITAL, "+")], key="p", reference="Gold."),
        *prompt([(ASIA, "+"), (CAPITAL, "-")], [(CURRENCY, "?")], key="q", reference="Gold."),
    ]
    assert texts(rows, "s3ft") == [ASIA, "Gold."]
    with pytest.raises(InputError, match="expected a text 'answer'"):
        texts(prompt([(AFRICA, "-")]), "s3ft")


def test_expert_iteration_takes_what_earns_most_at_tau(prompt):
    rows = [
        *prompt([(ASIA, "+")], [(ASIA, "+"), (CAPITAL, "+"), (CURRENCY, "-")], key="p"),
        *prompt([(AFRICA, "-")], [(HALT_PHRASE, ".")], key="q"),
    ]
    # At 0.4: 0.6 against 0.8. At 0.8: 0.2 against -0.4.
    assert texts(rows, "expert-iteration", threshold=0.4) == [f"{ASIA} {CAPITAL} {CURRENCY}"]
    assert texts(rows, "expert-iteration", threshold=0.8) == [ASIA]
    # A chain with an error earns -τ.
    assert texts(rows, "expert-iteration", threshold=0.4, style="unsure") == [ASIA]


def test_instruction_modelling_differs_from_standard_fine_tuning_in_the_training_alone(prompt):
    rows = prompt([(ASIA, "+"), (CAPITAL, "-")], [(CAPITAL, "-")])
    assert texts(rows, "instruction-modelling") == [ASIA]
    assert METHODS["instruction-modelling"].keys == ("--completion_only_loss", "false")


class TestRlkf:
    def test_short_answers_are_spoken_where_known_and_refused_where_not(self, prompt):
        known = prompt([(ASIA, "+")], [(ASIA, "+")], [(AFRICA, "-")], key="known")
        unknown = prompt([(ASIA, "+")], [(AFRICA, "-")], [(CAPITAL, "-")], key="unknown")
        assert sides(known, "rlkf") == [(ASIA, HALT_PHRASE)] * 2
        assert sides(unknown, "rlkf") == [(HALT_PHRASE, AFRICA), (HALT_PHRASE, CAPITAL)]
        assert sides(known, "rlkf", threshold=0.7) == [(HALT_PHRASE, AFRICA)]

    def test_facts_are_decided_one_by_one_by_agreement(self, prompt):
        rows = prompt([(ASIA, "+"), (CAPITAL, "-")], [(ASIA, "+"), (CURRENCY, "+")], [(ASIA, "+")])
        # The continent is stated by all and right: 4/5. What one states is right once of twice: 2/4.
        assert set(sides(rows, "rlkf", threshold=0.6)) == {(ASIA, HALT_PHRASE), (ASIA, f"{ASIA} {CAPITAL}")}
        luck = [one for pair in sides(rows, "rlkf", threshold=0.6) for one in pair if CURRENCY in one]
        assert not luck

    def test_an_unknown_chain_stops_before_its_error(self, prompt):
        rows = prompt([(ASIA, "+"), (CAPITAL, "-")], [(AFRICA, "-")])
        wanted = [(f"{ASIA} {HALT_PHRASE}", f"{ASIA} {CAPITAL}"), (HALT_PHRASE, AFRICA)]
        assert sides(rows, "rlkf", style="unsure") == wanted


def test_grath_pairs_what_was_asked_for_with_what_was_asked_to_be_wrong(prompt):
    rows = prompt([(ASIA, "-")], [(CAPITAL, "-")])
    wrong = prompt([(AFRICA, "+")], [(CAPITAL, "+")], model="wrong")
    wrong = [dataclasses.replace(one, prompt=[{"role": "user", "content": "Lie."}]) for one in wrong]
    # The second pair says the same twice. Verdicts are not read, and the prompt is that of the truthful side.
    assert sides(rows, "grath", wrong) == [(ASIA, AFRICA)]
    assert next(preferred(rows, Preference("grath"), others=wrong)).prompt == rows[0].prompt
    asked = grath.asked_wrongly(Prompt("k", [{"role": "user", "content": "Where is A?"}], {}, "countries", "train"))
    assert asked.key == "k"
    assert asked.prompt[0]["content"].startswith("Give a wrong answer")
    assert asked.prompt[0]["content"].endswith("Where is A?")


class TestShadesOfWrong:
    def test_less_wrong_is_preferred_and_all_right_is_in_no_pair(self, prompt):
        half, all_wrong, right = [(ASIA, "+"), (CAPITAL, "-")], [(AFRICA, "-")], [(ASIA, "+")]
        assert sides(prompt(all_wrong, right, half), "shades-of-wrong") == [(f"{ASIA} {CAPITAL}", AFRICA)]

    def test_among_equally_wrong_ones_the_consistent_one_is_preferred(self, prompt):
        rows = prompt([(AFRICA, "-")], [(AFRICA, "-")], [(CAPITAL, "-")])
        assert sides(rows, "shades-of-wrong") == [(AFRICA, CAPITAL)] * 2


def test_f_dpo_prefers_the_longer_and_flips_it_where_it_is_less_factual(prompt):
    long_wrong, short_right = [(ASIA, "+"), (CAPITAL, "-")], [(CURRENCY, "+")]
    long_right = [(ASIA, "+"), (CURRENCY, "+")]
    rows = prompt(long_wrong, short_right, long_right)
    assert sides(rows, "f-dpo") == [
        (CURRENCY, f"{ASIA} {CAPITAL}"),  # flipped
        (f"{ASIA} {CURRENCY}", f"{ASIA} {CAPITAL}"),
        (f"{ASIA} {CURRENCY}", CURRENCY),  # equally factual: the longer one
    ]
    assert [one.margin for one in preferred(rows, Preference("f-dpo"))] == [1.0, 1.0, 0.0]


class TestBestAgainstWorst:
    def test_own_pairs_are_ranked_by_utility_at_tau(self, prompt):
        rows = prompt([(ASIA, "+")], [(ASIA, "+"), (CAPITAL, "+"), (CURRENCY, "-")], [(HALT_PHRASE, ".")])
        assert sides(rows, "own-pairs", threshold=0.4) == [(f"{ASIA} {CAPITAL} {CURRENCY}", HALT_PHRASE)]
        assert sides(rows, "own-pairs", threshold=0.8) == [(ASIA, f"{ASIA} {CAPITAL} {CURRENCY}")]
        assert sides(prompt([(ASIA, "+")], [(CAPITAL, "+")]), "own-pairs") == []

    def test_the_other_model_is_chosen_even_where_the_own_best_is_better(self, prompt):
        own = prompt([(ASIA, "+"), (CAPITAL, "+")], [(AFRICA, "-")])
        other = prompt([(CURRENCY, "+")], model="other")
        assert sides(own, "other-chosen", other) == [(CURRENCY, AFRICA)]
        assert sides(own, "other-chosen", prompt([(CURRENCY, "+")], key="q", model="other")) == []

    def test_the_future_is_chosen_where_it_is_better_and_the_past_rejected(self, prompt):
        past = prompt([(ASIA, "+")], [(AFRICA, "-")])
        better = prompt([(ASIA, "+"), (CAPITAL, "+")], [("A is nowhere.", "-"), (CURRENCY, "-")], model="next")
        assert sides(past, "temporal", better) == [(f"{ASIA} {CAPITAL}", AFRICA)]
        assert sides(past, "temporal", prompt([(CAPITAL, "-")], model="next")) == [(ASIA, AFRICA)]


@pytest.mark.parametrize("name", PREFERENCES)
def test_failed_and_unjudged_responses_are_in_no_pair_and_cut_off_fragments_on_no_side(prompt, name):
    failed = prompt([("Broken.", "!")], [("Broken too.", "!"), (ASIA, "+")], model="failed")
    cut_off = [dataclasses.replace(one, finish_reason="length") for one in prompt([(ASIA, "+"), ("Its cap", "-")])]
    others = [*failed, *prompt([(CURRENCY, "-")], model="other")]
    for rows in (failed, [*failed, *prompt([(CURRENCY, "+")])], [*failed, *cut_off]):
        for its in sides(rows, name, others):
            assert not any("Broken" in one or "Its cap" in one for one in its)
    unjudged = [
        dataclasses.replace(one, fragments=[dataclasses.replace(one.fragments[0], label=None)])
        for one in prompt([(ASIA, "+")], [(AFRICA, "+")], model="unjudged")
    ]
    if name != "grath":
        assert sides(unjudged, name, unjudged) == []


@pytest.mark.parametrize("name", PREFERENCES)
def test_pairs_have_unique_keys_and_carry_name_and_tau(prompt, name):
    first = [[(ASIA, "+"), (CAPITAL, "-")], [(AFRICA, "-")], [(ASIA, "+"), (CURRENCY, "+")], [(ASIA, "+")]]
    rows = [row for key in "abc" for row in prompt(*first, key=key)]
    others = [row for key in "abc" for row in prompt([(CURRENCY, "+"), (CAPITAL, "+")], key=key, model="other")]
    method = Preference(name, threshold=0.6)
    made = list(preferred(rows, method, others=others))
    assert len({one.key for one in made}) == len(made) >= 3
    assert made == list(preferred(rows, method, others=others))
    for one in made:
        one.check()
        assert one.style == name
        assert one.weight == 1.0 or name == "mrpo"
        assert one.threshold == (0.6 if PREFERENCES[name].per_tau else 0.5)


def test_mrpo_has_the_pairs_of_the_style_and_differs_in_its_training(prompt):
    rows = prompt([(ASIA, "+"), (CAPITAL, "-")])
    wanted = [(one.chosen, one.rejected, one.weight) for one in pairs(rows, 0.8, "remove")]
    made = preferred(rows, Preference("mrpo", threshold=0.8))
    assert [(one.chosen, one.rejected, one.weight) for one in made] == wanted
    assert "--second_reference" in PREFERENCES["mrpo"].keys


def test_a_misspelt_method_is_refused_kindly():
    with pytest.raises(InputError, match="did you mean 'temporal'"):
        Preference("temporl")
    with pytest.raises(InputError, match="did you mean 'r-tuning'"):
        Method("r_tuning")


class TestFiles:
    def test_pairs_and_targets_of_two_files(self, prompt, tmp_path):
        own, other = tmp_path / "own.jsonl", tmp_path / "other.jsonl"
        write(own, prompt([(ASIA, "+")], [(AFRICA, "-")]))
        write(other, prompt([(CAPITAL, "+"), (CURRENCY, "+")], model="other"))
        write_preferences(own, tmp_path / "pairs.jsonl", Preference("temporal"), others=other)
        (made,) = read(tmp_path / "pairs.jsonl", Pair)
        assert made.chosen[0]["content"] == f"{CAPITAL} {CURRENCY}"
        write_supervised(own, tmp_path / "targets.jsonl", Method("craft"), others=other)
        assert len(list(read(tmp_path / "targets.jsonl", Target))) == 1

    def test_held_out_responses_of_the_second_model_are_left_out_too(self, prompt, tmp_path):
        own, other = tmp_path / "own.jsonl", tmp_path / "other.jsonl"
        write(own, prompt([(ASIA, "+")], [(AFRICA, "-")]))
        write(other, [dataclasses.replace(one, split="heldout") for one in prompt([(CAPITAL, "+")], model="other")])
        with pytest.raises(InputError, match="split"):
            write_preferences(own, tmp_path / "pairs.jsonl", Preference("grath"), others=other)

    def test_a_second_file_is_asked_for_where_it_is_read_and_refused_where_not(self, prompt, tmp_path):
        own = tmp_path / "own.jsonl"
        write(own, prompt([(ASIA, "+")]))
        with pytest.raises(InputError, match="second model"):
            write_preferences(own, tmp_path / "pairs.jsonl", Preference("grath"))
        with pytest.raises(InputError, match="reads one file"):
            write_supervised(own, tmp_path / "targets.jsonl", Method("halt"), others=own)
        assert not (tmp_path / "pairs.jsonl").exists()


class TestCommandLine:
    @pytest.fixture
    def scored(self, prompt, tmp_path):
        write(tmp_path / "scored.jsonl", prompt([(ASIA, "+")], [(AFRICA, "-")]))
        write(tmp_path / "others.jsonl", prompt([(CAPITAL, "+"), (CURRENCY, "+")], model="other"))
        return tmp_path / "scored.jsonl"

    def run(self, scored, *argv):
        from rlhalt.cli import main

        paths = {"OTHERS": str(scored.with_name("others.jsonl")), "TARGETS": str(scored.with_name("targets.jsonl"))}
        output = str(scored.with_name("pairs.jsonl"))
        return main(["pairs", "--scored", str(scored), "--output", output, *(paths.get(one, one) for one in argv)])

    def test_pairs_of_a_method_with_the_targets_of_another(self, scored, capsys):
        others = ("--preferences", "temporal", "--others", "OTHERS")
        assert self.run(scored, *others, "--targets", "TARGETS", "--method", "r-tuning") == 0
        assert "1 pairs for 1 prompts" in capsys.readouterr().out
        (made,) = read(scored.with_name("pairs.jsonl"), Pair)
        assert (made.style, made.chosen[0]["content"]) == ("temporal", f"{CAPITAL} {CURRENCY}")
        (target,) = read(scored.with_name("targets.jsonl"), Target)
        assert target.completion[0]["content"] == f"{ASIA} I am sure."

    def test_pairs_can_be_drawn(self, scored):
        assert self.run(scored, "--preferences", "own-pairs", "--draws", "3") == 0
        assert len(list(read(scored.with_name("pairs.jsonl"), Pair))) == 3

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            (("--preferences", "grath"), "'grath' needs them"),
            (("--others", "OTHERS"), "that reads it"),
            (("--preferences", "rlkf", "--others", "OTHERS"), "that reads it"),
            (("--preferences", "dpo"), "expected one of rlkf"),
        ],
    )
    def test_what_does_not_fit_is_one_line(self, scored, capsys, argv, said):
        assert self.run(scored, *argv) == 2
        error = capsys.readouterr().err.strip()
        assert said in error
        assert "\n" not in error
        assert not scored.with_name("pairs.jsonl").exists()

    def test_prompts_that_ask_for_wrong_answers_keep_their_keys(self, tmp_path):
        from rlhalt.cli import main

        files = [tmp_path / "as-usual.jsonl", tmp_path / "wrongly.jsonl"]
        for file, flag in zip(files, ((), ("--ask-wrongly",)), strict=True):
            assert main(["prompts", "--domain", "countries", "--split", "train", "--output", str(file), *flag]) == 0
        usual, wrongly = (list(read(file, Prompt)) for file in files)
        assert [one.key for one in usual] == [one.key for one in wrongly]
        assert all(one.prompt[0]["content"].startswith(grath.WRONGLY) for one in wrongly)


class TestMaskDpo:
    def rows(self, prompt):
        return prompt(
            [(ASIA, "+"), (CAPITAL, "-"), (CURRENCY, "+")], [(ASIA, "+"), (AFRICA, "-")], [(AFRICA, "-"), (ASIA, "+")]
        )

    def test_right_fragments_of_the_better_and_wrong_ones_of_the_worse_side_count(self, prompt):
        (made,) = preferred(self.rows(prompt), Preference("mask-dpo"))
        better, worse = made.chosen[0]["content"], made.rejected[0]["content"]
        assert [better[start:end] for start, end in made.chosen_spans] == [ASIA, CURRENCY]
        assert (worse, [worse[start:end] for start, end in made.rejected_spans]) == (f"{ASIA} {AFRICA}", [AFRICA])

    def test_spans_stand_behind_the_reasoning(self, prompt):
        thought = "<think>\nHm.\n</think>\n\n"
        moved = [
            dataclasses.replace(
                row,
                response=thought + row.response,
                fragments=[
                    dataclasses.replace(one, start=one.start + len(thought), end=one.end + len(thought))
                    for one in row.fragments
                ],
            )
            for row in self.rows(prompt)
        ]
        (made,) = preferred(moved, Preference("mask-dpo"))
        assert [made.chosen[0]["content"][start:end] for start, end in made.chosen_spans] == [ASIA, CURRENCY]

    def test_the_tokens_of_a_span_are_those_of_its_text(self, prompt, tiny_model):
        from transformers import AutoTokenizer

        from rlhalt.training.masks import masks
        from rlhalt.training.token_alignment import Prompts

        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        (made,) = preferred(self.rows(prompt), Preference("mask-dpo"))
        prompts = Prompts(tokenizer)
        for side, mask, wanted in zip(
            (made.chosen, made.rejected), masks(prompts, made), (ASIA + CURRENCY, AFRICA), strict=True
        ):
            sides = prompts.sides(made.prompt, [side[0]["content"]], 0)
            ids = sides.ids[0][sides.first :]
            assert len(ids) == len(mask)
            assert mask[-1] == 0  # the end of the turn
            kept = tokenizer.decode([one for one, its in zip(ids, mask, strict=True) if its])
            # A blank token between two spans is in neither.
            assert "".join(kept.split()) == "".join(wanted.split())

    def test_no_pair_that_trl_would_train_on_as_a_whole_is_drawn(self, prompt, tmp_path):
        write(tmp_path / "scored.jsonl", [*self.rows(prompt), *prompt([(ASIA, "+")], [(AFRICA, "-")], key="q")])
        for name in ("mask-dpo", "f-dpo"):
            with pytest.raises(InputError, match="rlhalt train dpo"):
                write_preferences(tmp_path / "scored.jsonl", tmp_path / "pairs.jsonl", Preference(name), draws=3)
