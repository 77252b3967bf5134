"""The report: one page, nothing from outside, nothing a response can do to it, sentences that follow the numbers."""

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import pytest

from evaluation_folders import build
from rlhalt.evaluation import compare, load
from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.records import Fragment
from rlhalt.report import write_report
from rlhalt.report.page import examples, pieces, render
from rlhalt.report.summary import sentences

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Balanced(HTMLParser):
    """Refuses a tag that closes what is not open; keeps attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data):
        self.text.append(data)


def parse(page):
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    folders = build(tmp_path_factory.mktemp("runs"), n_prompts=10, samples=1, seeds=(0, 1), thresholds=(0.5, 0.8))
    return [load(folder) for folder in folders]


@pytest.fixture(scope="module")
def comparison(evaluations):
    return compare(evaluations, resamples=100)


@pytest.fixture(scope="module")
def page(comparison, evaluations):
    return render(comparison, evaluations)


def with_first_response(evaluation, text, **fragment):
    """The evaluation with another first response, one fragment long."""
    judged = Fragment(start=0, end=len(text), kind="sentence", text=text, **fragment)
    row = dataclasses.replace(evaluation.scored[0], response=text, fragments=[judged])
    given = dataclasses.replace(evaluation.confidence[row.key], token_probability=[0.5], halt_probability=[0.5])
    confidence = {**evaluation.confidence, row.key: given}
    return dataclasses.replace(evaluation, scored=[row, *evaluation.scored[1:]], confidence=confidence)


def test_the_page_is_balanced_html(page):
    assert page.startswith("<!DOCTYPE html>")
    parse(page)


def test_the_page_asks_nothing_of_the_network(page):
    for tag, attributes in parse(page).seen:
        for name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(", page)
    assert "default-src 'none'" in page


def test_no_response_becomes_markup(evaluations):
    attack = "<script>alert('x')</script><img src=x onerror=alert(1)> & \"quoted\""
    base = with_first_response(evaluations[0], attack, label="incorrect", evidence='"><script>alert(2)</script>')
    attacked = [base, *evaluations[1:]]
    found = parse(render(compare(attacked, resamples=10), attacked))
    assert [tag for tag, _ in found.seen if tag in ("script", "img")] == ["script"]
    assert attack in "".join(found.text)
    assert any(attributes.get("data-evidence") == '"><script>alert(2)</script>' for _, attributes in found.seen)


def test_only_the_pages_own_script_may_run(page):
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_every_greedy_fragment_is_shown_with_its_verdict(page, evaluations):
    found = parse(page)
    shown = [attributes["data-verdict"] for _, attributes in found.seen if "data-verdict" in attributes]
    first = [one for one in evaluations if one.seed == 0]
    expected = ["failed" if f.failed else f.label for one in first for row in one.rows("greedy") for f in row.fragments]
    assert sorted(shown) == sorted(expected)


def test_text_between_fragments_is_kept(evaluations):
    for row in evaluations[0].scored:
        assert "".join(piece.text for piece in pieces(row)) == row.response


def test_overlapping_fragments_show_every_character_once(evaluations):
    row = evaluations[0].scored[0]
    end = row.fragments[0].end
    inner = dataclasses.replace(row.fragments[0], start=1, text=row.response[1:end])
    nested = dataclasses.replace(row, fragments=[row.fragments[0], inner, *row.fragments[1:]])
    assert "".join(piece.text for piece in pieces(nested)) == row.response


def test_examples_stand_beside_each_other_by_name(comparison, evaluations):
    shown = examples(comparison, evaluations)
    assert len(shown) == 10
    assert list(shown[0].columns) == ["base", "SFT", "DPO"]
    assert [one.threshold for one in shown[0].columns["DPO"]] == [0.5, 0.8]


def test_a_failed_fragment_shows_why(evaluations):
    base = with_first_response(evaluations[0], "Something.", label=None, error="the judge timed out")
    assert [(one.verdict, one.evidence) for one in pieces(base.scored[0])] == [("failed", "the judge timed out")]


def changed(comparison, model, **correctness):
    """The comparison with another difference in correctness from base."""
    differences = [
        dataclasses.replace(one, correctness=Estimate(**correctness))
        if (one.model, one.versus) == (model, "base")
        else one
        for one in comparison.differences
    ]
    return dataclasses.replace(comparison, differences=differences)


@pytest.mark.parametrize(
    ("correctness", "said"),
    [
        ({"value": 0.14, "low": 0.09, "high": 0.19}, "is 14 points more correct than base"),
        ({"value": -0.14, "low": -0.19, "high": -0.09}, "is 14 points less correct than base"),
        ({"value": 0.01, "low": -0.04, "high": 0.06}, "95 %: −4 to 6, which includes 0"),
        ({"value": 0.01, "low": 0.005, "high": 0.06}, "is 1 point more correct"),
        ({"value": None}, "there is no correctness to compare"),
    ],
)
def test_the_summary_follows_the_numbers(comparison, correctness, said):
    assert said in sentences(changed(comparison, "DPO τ=0.5", **correctness))[0]


def test_an_interval_without_zero_is_not_said_to_include_it(comparison):
    sentence = sentences(changed(comparison, "SFT", value=0.2, low=0.1, high=0.3))
    assert "95 %: 10 to 30)" in next(one for one in sentence if one.startswith("SFT"))


@pytest.mark.parametrize("label", ["halt", "unverifiable", "correct", None])
def test_degenerate_models_make_a_page(evaluations, tmp_path, label):
    sft = evaluations[1]
    rows = [
        dataclasses.replace(row, fragments=[dataclasses.replace(f, label=label, error=None) for f in row.fragments])
        for row in sft.scored
    ]
    chosen = [evaluations[0], dataclasses.replace(sft, scored=rows)]
    write_report(compare(chosen, resamples=10), chosen, tmp_path / "report.html")
    parse((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_base_alone_and_a_single_prompt_make_a_page(evaluations):
    base = evaluations[0]
    key = base.scored[0].prompt_key
    for chosen in ([base], [dataclasses.replace(base, scored=[r for r in base.scored if r.prompt_key == key])]):
        assert "nothing to compare it with" in render(compare(chosen, resamples=10), chosen)


def test_silence_all_around_makes_a_page(evaluations):
    silent = [
        dataclasses.replace(
            one,
            scored=[dataclasses.replace(row, response="", fragments=[]) for row in one.scored],
            confidence={
                key: dataclasses.replace(given, token_probability=[], halt_probability=[])
                for key, given in one.confidence.items()
            },
        )
        for one in evaluations
    ]
    assert "says nothing" in render(compare(silent, resamples=10), silent)
