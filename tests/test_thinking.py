"""Reasoning is no answer: it is not split, not judged, and stands unchanged before both sides of a pair."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.domains import load_domain
from rlhalt.fragments import thinking
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Response, Scored
from rlhalt.score_file import estimate
from rlhalt.scoring import Scorer
from rlhalt.training_data import Method, pairs, supervised, targets
from rlhalt.training_data.decisions import decisions
from rlhalt.verifiers import Verdict

ANSWER = "The capital of Kenya is Nairobi."


@pytest.mark.parametrize(
    "reasoning",
    [
        "",
        "<think>\nKenya... Oslo?\n</think>\n\n",
        "\n<think>Kenya</think>",
        "<think>\n\n</think>\n\n",
        "<think></think>",
        # The template opened the reasoning: the response begins inside it.
        "Kenya... Oslo?\n</think>\n\n",
        "</think>\n\n",
        # Several blocks, nested ones, and marks that the reasoning speaks of.
        "<think>one</think>\n<think>two</think>\n",
        "<think>one <think>two</think> three</think>\n",
        "<think>I may write `</think>` here.</think>\n",
        "<think>I may write <think> here.</think>\n",
        "<think>one</think>\ntwo\n</think>\n",
        "<thinking>\nKenya\n</thinking>\n",
        "<seed:think>Kenya</seed:think>",
        "[THINK]Kenya[/THINK]",
        "◁think▷Kenya◁/think▷",
        "<|channel>thought\nKenya\n<channel|>",
        "<|channel|>analysis<|message|>Kenya<|end|><|start|>assistant<|channel|>final<|message|>",
        "<|channel|>final<|message|>",
    ],
)
def test_reasoning_and_answer(reasoning):
    assert thinking.split(reasoning + ANSWER) == (reasoning, len(reasoning))
    assert thinking.answer(reasoning + ANSWER) == ANSWER
    assert not thinking.unclosed(reasoning + ANSWER)


@pytest.mark.parametrize(
    "response",
    [
        "<think>",
        "<think>\nKenya... its capital is Oslo.",
        "[THINK]Kenya",
        "<think>one</think>\n<think>two",
        "\n<think> ",
    ],
)
def test_reasoning_that_was_cut_off_has_no_answer(response):
    assert thinking.split(response) == (response, len(response))
    assert thinking.unclosed(response)


@pytest.mark.parametrize(
    "response",
    [
        "",
        "  A.",
        "A. <think>B.</think> C.",
        "A.\n<think>\nB.\n</think>\nC.",
        "The mark `</think>` ends it.",
        'Between "<think>" and "</think>" it reasons.',
        "I think </thinking is no mark.",
    ],
)
def test_marks_inside_an_answer_are_a_part_of_it(response):
    assert thinking.split(response) == ("", 0)
    assert not thinking.unclosed(response)


def test_an_answer_without_text_after_closed_reasoning_is_not_cut_off():
    assert thinking.answer("<think>one</think>") == ""
    assert not thinking.unclosed("<think>one</think>")


MARKED = st.lists(
    st.sampled_from(["<think>", "</think>", "[THINK]", "[/THINK]", "\n", " ", "A.", "`", "<think", "<|channel|>"]),
    max_size=12,
).map("".join)


@given(MARKED)
def test_an_answer_holds_no_reasoning_again(response):
    reasoning, start = thinking.split(response)
    assert reasoning == response[:start]
    assert thinking.split(response[start:]) == ("", 0)


@pytest.mark.parametrize(
    ("prompt", "opening"),
    [
        ("<|im_start|>assistant\n", ""),
        ("<|im_start|>assistant\n<think>\n", "<think>\n"),
        ("<|Assistant|><think>\n", "<think>\n"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("Write <think> please.<|im_end|>\n<|im_start|>assistant\n", ""),
        ("<start_of_turn>model\n<|channel>thought\n", "<|channel>thought\n"),
    ],
)
def test_a_prompt_that_opens_the_reasoning(prompt, opening):
    assert thinking.opened(prompt) == opening


class Recording:
    """Calls everything correct, and remembers what it was shown."""

    name = "recording/1"

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[str]]] = []

    def verify(self, text, fragments, reference):
        self.seen.append((text, [text[one.start : one.end] for one in fragments]))
        return [Verdict("correct", "", None) for _ in fragments]


REASONED = f"<think>\nIts capital is Oslo. Or not.\n</think>\n\n{ANSWER} It is in Africa."


def test_fragmenter_and_verifier_see_the_answer_and_offsets_point_into_the_response():
    verifier, split = Recording(), []

    def fragment(text):
        split.append(text)
        return sentences(text)

    judged = Scorer(fragment, verifier).judge(REASONED, {})
    assert split == [thinking.answer(REASONED)]
    assert verifier.seen == [(thinking.answer(REASONED), [ANSWER, "It is in Africa."])]
    assert [REASONED[one.start : one.end] for one in judged] == [one.text for one in judged] == verifier.seen[0][1]
    # What was judged before is known again.
    kept = Scorer(fragment, verifier).remembered(thinking.fragmented(fragment, REASONED), judged)
    assert kept == judged


@pytest.mark.parametrize("cut", ["<think>\nThe capital of Kenya is Oslo.", "<think>The capital of Kenya is Nairobi. "])
def test_reasoning_that_was_cut_off_earns_and_costs_nothing(cut):
    assert load_domain("countries").scorer().judge(cut, {"subject": "Kenya"}) == []


def test_reasoning_is_judged_in_no_domain():
    countries = load_domain("countries").scorer()
    wrong = "<think>\nThe capital of Kenya is Oslo.\n</think>\n\n"
    assert [one.label for one in countries.judge(wrong + ANSWER, {"subject": "Kenya"})] == ["correct"]
    maths = load_domain("maths").scorer()
    worked = "She sold 48/2 = 24 clips in May.\nShe sold 48+24 = 72 in all.\n#### 72"
    solution = f"<think>\n48/2 = 23, so the answer is 71.\n</think>\n\n{worked}"
    found = maths.judge(solution, {"answer": worked})
    assert "correct" in [one.label for one in found]
    assert all(one.start >= solution.index("</think>") for one in found)
    assert "incorrect" not in [one.label for one in found]


def test_a_broken_verifier_fails_the_answer_not_the_reasoning():
    class Broken(Recording):
        def verify(self, text, fragments, reference):
            raise RuntimeError("broke")

    judged = Scorer(sentences, Broken()).judge(REASONED, {})
    assert [one.text for one in judged] == [ANSWER, "It is in Africa."]
    assert all(one.failed for one in judged)


def test_an_estimate_counts_the_answer_alone(scored_row, tmp_path):
    asked = []

    class Paid(Recording):
        def estimate(self, jobs):
            from rlhalt.llm import Usage

            asked.extend(one.text for fragments, _ in jobs for one in fragments)
            return Usage()

    row = scored_row([], "")
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(Response)}
    estimate([Response(**{**values, "response": REASONED})], Scorer(sentences, Paid()), tmp_path / "scored.jsonl")
    assert asked == [ANSWER, "It is in Africa."]


THOUGHT = "<think>\nA? B? C?\n</think>\n\n"
ASIA, CAPITAL, CURRENCY = "A is in Asia.", "Its capital is B.", "Its currency is C."


def reasoned(row: Scored, thought: str = THOUGHT) -> Scored:
    """The row as if its answer had come after reasoning."""
    return dataclasses.replace(
        row, response=thought + row.response, fragments=thinking.moved(row.fragments, len(thought))
    )


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate", "keep", "reflect", "flip"])
@pytest.mark.parametrize("marks", ["+-+", "-++", "---", "++?"])
def test_pairs_are_those_of_the_answer_after_the_reasoning(scored_row, style, marks):
    row = scored_row([ASIA, CAPITAL, CURRENCY], marks)
    plain, thought = list(pairs([row], 0.5, style)), list(pairs([reasoned(row)], 0.5, style))
    assert len(plain) == len(thought)
    for one, other in zip(plain, thought, strict=True):
        for side in ("chosen", "rejected"):
            assert getattr(other, side)[0]["content"] == THOUGHT + getattr(one, side)[0]["content"]
        assert other.cut == one.cut + len(THOUGHT)
        assert other.weight == one.weight
    wanted = [THOUGHT + one.completion[0]["content"] for one in targets([row], style)]
    assert [one.completion[0]["content"] for one in targets([reasoned(row)], style)] == wanted


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate"])
def test_decisions_are_taken_after_the_reasoning(scored_row, style):
    row = scored_row([ASIA, CAPITAL, CURRENCY], "+-+")
    plain, thought = list(decisions([row], 0.5, style)), list(decisions([reasoned(row)], 0.5, style))
    assert [(one.speak, one.otherwise, one.worth) for one in plain] == [
        (one.speak, one.otherwise, one.worth) for one in thought
    ]
    assert [THOUGHT + one.before for one in plain] == [one.before for one in thought]


@pytest.mark.parametrize("name", ["halt", "idk", "random-trim", "absolute", "confidence-num", "multisample", "unit"])
def test_other_methods_keep_the_reasoning_too(scored_row, name):
    rows = [scored_row([ASIA, CAPITAL], "+-"), scored_row([ASIA, CURRENCY], "++")]
    plain = [one.completion[0]["content"] for one in supervised(rows, Method(name))]
    thought = [one.completion[0]["content"] for one in supervised(map(reasoned, rows), Method(name))]
    assert plain
    assert thought == [THOUGHT + one for one in plain]


def test_nothing_is_learnt_of_a_response_that_was_cut_off_in_its_reasoning(scored_row):
    row = dataclasses.replace(scored_row([], "", "length"), response="<think>\nA is in")
    assert not list(pairs([row], 0.5, "remove"))
    assert not list(targets([row], "remove"))
    assert not list(decisions([row], 0.5, "unsure"))
    # Closed reasoning without an answer is an answer without a word.
    silent = dataclasses.replace(row, response=THOUGHT)
    assert [one.completion[0]["content"] for one in targets([silent], "remove")] == [THOUGHT + HALT_PHRASE]
