"""A domain with a halting phrase of its own: whatever is made of its responses says that phrase, and no other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rlhalt.cli import main
from rlhalt.domains import load_domain
from rlhalt.evaluation import run as evaluation
from rlhalt.evaluation.counts import count
from rlhalt.evaluation.run import Policy, continuations
from rlhalt.recipes.rounds import write_anchored
from rlhalt.records import HALT_PHRASE, Fragment, Response, Scored, content_key, read, write
from rlhalt.sampling import Completion
from rlhalt.training.fragment_grpo.tokens import openings
from rlhalt.training_data import Method, pairs, supervised, targets
from rlhalt.verifiers.maths import MathsVerifier

REWARDS = Path(__file__).parents[1] / "reward"
PHRASE = "Je ne sais pas."
REGION, CAPITAL = "Kenya is in Africa.", "The capital of Kenya is Oslo."
SAID = (f"{REGION} {CAPITAL} {REGION}", CAPITAL, "", f"{REGION} **je ne sais pas**", HALT_PHRASE, f"{CAPITAL} {PHRASE}")
GSM = {
    "answer": "He has 2+3 = <<2+3=5>>5.\nTwice that is 5*2 = <<5*2=10>>10.\n#### 10",
    "question": "He has 2, gets 3 and doubles them 2 times. How many has he?",
}


def domain(folder: Path, name: str = "countries", phrase: str = PHRASE) -> Path:
    text = (REWARDS / name / "domain.yaml").read_text(encoding="utf-8")
    (folder / "domain.yaml").write_text(f"{text}halting_phrase: {json.dumps(phrase)}\n", encoding="utf-8")
    return folder


def response(text: str) -> Response:
    question = [{"role": "user", "content": "State five facts about Kenya."}]
    return Response(
        content_key(text), "k", 0, question, text, {"subject": "Kenya"}, "countries", "train", "stop", {"model": "m"}, 9
    )


@pytest.fixture
def scored(tmp_path):
    write(tmp_path / "responses.jsonl", [response(one) for one in SAID])
    command = ["score", "--responses", str(tmp_path / "responses.jsonl"), "--output", str(tmp_path / "scored.jsonl")]
    assert main([*command, "--domain", str(domain(tmp_path))]) == 0
    return tmp_path / "scored.jsonl"


def made(scored: Path, *command: str) -> tuple[str, dict[str, object]]:
    """What a verb writes of scored rows, and what its run was configured with."""
    output = scored.with_name("made.jsonl")
    assert main([*command, "--scored", str(scored), "--domain", str(scored.parent), "--output", str(output)]) == 0
    return output.read_text(), json.loads(output.with_name("made.run.json").read_text())["config"]


def test_the_scorer_knows_no_other_phrase(scored):
    labels = {one.response: [each.label for each in one.fragments] for one in read(scored, Scored)}
    assert labels[SAID[3]] == ["correct", "halt"]
    assert labels[HALT_PHRASE] == ["unverifiable"]


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate", "keep"])
def test_pairs_and_targets_say_it(scored, style):
    text, config = made(scored, "pairs", "--style", style, "--targets", str(scored.with_name("targets.jsonl")))
    assert PHRASE in text
    assert HALT_PHRASE not in text
    assert config["phrase"] == PHRASE
    text = scored.with_name("targets.jsonl").read_text()
    assert PHRASE in text
    assert HALT_PHRASE not in text


@pytest.mark.parametrize("method", ["halt", "halt-per-tau", "idk", "random-trim", "absolute", "multisample", "unit"])
def test_the_targets_of_every_method_say_it(scored, method):
    wrong = [one for one in read(scored, Scored) if one.response in (CAPITAL, "")]
    wrong = [dataclasses.replace(one, prompt_key=one.key) for one in wrong]
    write(scored, wrong)
    file = scored.with_name("targets.jsonl")
    _, config = made(scored, "pairs", "--style", "unsure", "--targets", str(file), "--method", method)
    assert config["phrase"] == PHRASE
    assert HALT_PHRASE not in file.read_text()
    assert (PHRASE in file.read_text()) or method == "unit"


def test_confidence_in_words_and_in_numbers_refuses_with_it(scored_row):
    for name in ("confidence-num", "confidence-verb"):
        (one,) = supervised([scored_row([CAPITAL], "-")], Method(name), PHRASE)
        assert one.completion[0]["content"] == PHRASE


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate", "keep", "reflect", "flip"])
def test_nothing_at_all_becomes_it(scored_row, style):
    (one,) = targets([scored_row([], "")], style, PHRASE)
    assert one.completion[0]["content"] == PHRASE


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate"])
@pytest.mark.parametrize("threshold", [("--threshold", "0.5"), ("--threshold-in-prompt", "0.3", "0.7")])
def test_decisions_say_it(scored, style, threshold):
    text, config = made(scored, "decisions", "--style", style, *threshold)
    assert PHRASE in text
    assert HALT_PHRASE not in text
    assert config["phrase"] == PHRASE


def test_rounds_say_it(scored, tmp_path):
    write_anchored(scored, scored, tmp_path / "made.jsonl", 0.5, "unsure", PHRASE)
    assert PHRASE in (tmp_path / "made.jsonl").read_text()
    assert HALT_PHRASE not in (tmp_path / "made.jsonl").read_text()


def test_what_was_made_with_another_phrase_is_made_again(scored, tmp_path):
    first, _ = made(scored, "pairs", "--style", "unsure")
    domain(tmp_path, phrase="Ab hier unsicher.")
    second, _ = made(scored, "pairs", "--style", "unsure")
    assert ("Ab hier unsicher." in first, "Ab hier unsicher." in second) == (False, True)


def test_space_around_the_phrase_is_not_trained_on(tmp_path):
    assert load_domain(domain(tmp_path, phrase=f" {PHRASE}\n")).halting_phrase == PHRASE


def test_the_default_stays_the_default(scored_row):
    (one,) = [one for one in pairs([scored_row([REGION, CAPITAL], "+-")], 0.5, "unsure") if one.style == "unsure"]
    assert one.chosen[0]["content"] == f"{REGION} {HALT_PHRASE}"


def test_evaluation_counts_it_and_asks_behind_it(monkeypatch, scored):
    rows = [one for one in read(scored, Scored) if one.response in (SAID[3], SAID[5], HALT_PHRASE)]
    assert [count(one).halted for one in rows] == [1.0, 0.0, 1.0]
    asked: list[str] = []

    class Base:
        def complete(self, chats: Sequence[Sequence[dict[str, str]]], **_: object) -> list[Completion]:
            asked.extend(chat[-1]["content"] for chat in chats)
            return [Completion(text, 3, "stop") for text in (f" {PHRASE}", " **je ne sais pas**", f" {HALT_PHRASE}")]

    monkeypatch.setattr(evaluation, "load_engine", lambda *_: Base())
    scorer = load_domain(scored.parent).scorer()
    found = continuations(Policy("base", "m"), rows, scorer, "transformers")
    assert asked == [REGION, HALT_PHRASE, CAPITAL]
    assert [one.text for one in found] == ["", "", HALT_PHRASE]


def test_the_probability_of_halting_is_that_of_its_first_token(tiny_model, scored_row):
    pytest.importorskip("torch")
    from rlhalt.uncertainty.token_probability import confidences

    rows = [scored_row([REGION, CAPITAL], "+-")]
    english, french = (confidences(str(tiny_model), rows, phrase=one) for one in (HALT_PHRASE, PHRASE))
    assert english[0].halt_probability != french[0].halt_probability
    assert english[0].token_probability == french[0].token_probability


def test_online_a_fragment_parts_from_it(scored_row):
    fragments = scored_row(["Je suis Kenya."], "+").fragments
    assert openings([fragments]) == [[1]]
    assert openings([fragments], PHRASE) == [[len("Je s")]]


def labels(folder: Path, name: str, text: str, reference: dict[str, str], phrase: str = PHRASE) -> list[str | None]:
    scorer = load_domain(domain(folder, name, phrase)).scorer(unsafe=True)
    return [one.label for one in scorer.judge(text, reference)]


@pytest.mark.parametrize("phrase", [PHRASE, "I am not sure. I stop here.", "No = no."])
def test_a_solution_halts_with_it_alone(tmp_path, phrase):
    step = "He has 2+3 = 5 of them."
    assert labels(tmp_path, "maths", f"{step}\n{phrase}", GSM, phrase) == ["correct", "halt"]
    # No halt, so that the last calculation is the answer.
    assert labels(tmp_path, "maths", f"{step}\n{HALT_PHRASE}", GSM, phrase) == ["incorrect", "unverifiable"]


@pytest.mark.parametrize(("text", "label"), [("He stops: 2+3 = 5", "unverifiable"), ("I stop: 2+3 = 5", "correct")])
def test_a_short_phrase_inside_a_word_is_no_halt(text, label):
    (verdict,) = MathsVerifier(phrase="Stop.").verify(text, [Fragment(0, len(text), "step", text)], GSM)
    assert verdict.label == label


@pytest.mark.parametrize("phrase", [PHRASE, "I am not sure. I stop here."])
def test_a_line_of_a_program_that_is_the_phrase_is_no_part_of_it(tmp_path, phrase):
    scorer = load_domain(domain(tmp_path, "code", phrase)).scorer(unsafe=True)
    text = "```python\ndef f(x):\n    y = x\n{}\n```"
    assert [one.kind for one in scorer.split(text.format(phrase))] == ["header", "statement", "halt"]
    assert [one.kind for one in scorer.split(text.format(HALT_PHRASE))] == ["header", "statement", "line"]
    reference = {"prompt": "def f(x):\n", "test": "def check(f):\n    assert f(1) == 1\n", "entry_point": "f"}
    # Unfinished: the function ends without a value.
    assert [one.label for one in scorer.judge(text.format(phrase), reference)] == ["unverifiable"] * 2 + ["halt"]


def test_the_name_of_a_fragmenter_is_the_same_with_any_phrase(tmp_path):
    for name in ("maths", "code"):
        folder = tmp_path / name
        folder.mkdir()
        assert (
            load_domain(domain(folder, name)).scorer(unsafe=True).fragmenter
            == load_domain(name).scorer(unsafe=True).fragmenter
        )


OWN = """
from rlhalt.fragments.sentences import sentences
from rlhalt.verifiers import Verdict

def split(text):
    return sentences(text)

class Own:
    name = "own/1"
    def verify(self, response, fragments, reference):
        return [Verdict("correct", "always") for _ in fragments]
"""


def test_with_a_fragmenter_of_the_users_own_a_changed_phrase_scores_again(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    write(tmp_path / "responses.jsonl", [response(f"{REGION} {PHRASE}"), response(f"{REGION} {HALT_PHRASE}")])
    command = ["score", "--responses", str(tmp_path / "responses.jsonl"), "--output", str(tmp_path / "scored.jsonl")]

    def labelled(phrase: str) -> list[list[str | None]]:
        (tmp_path / "domain.yaml").write_text(
            "domain: countries\nfragmenter: own.py:split\nverifier: own.py:Own\nhalting: independent\nthreshold: 0.5\n"
            f"halting_phrase: {json.dumps(phrase)}\n"
        )
        assert main([*command, "--domain", str(tmp_path)]) == 0
        return [[one.label for one in row.fragments] for row in read(tmp_path / "scored.jsonl", Scored)]

    assert labelled(PHRASE) == [["correct", "halt"], ["correct", "correct"]]
    assert labelled(HALT_PHRASE) == [["correct", "correct"], ["correct", "halt"]]
    assert labelled(PHRASE) == [["correct", "halt"], ["correct", "correct"]]
