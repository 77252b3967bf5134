"""The report: one page, nothing from outside, nothing a response can do to it, sentences that follow the numbers."""

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from evaluation_folders import build
from rlhalt.evaluation import compare, load
from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.significance import Significance
from rlhalt.evaluation.tables import number
from rlhalt.records import Fragment
from rlhalt.report import svg, write_report
from rlhalt.report.cost import costs, trainings
from rlhalt.report.examples import examples, pieces
from rlhalt.report.frontier import equal_utility, trade_off
from rlhalt.report.halting import ENDINGS, ending, haltings
from rlhalt.report.obedience import facts_over_thresholds, families
from rlhalt.report.page import render
from rlhalt.report.palette import colour
from rlhalt.report.summary import others, sentences
from rlhalt.report.winloss import wins

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


def changed(comparison, model, p=0.01, **correctness):
    """The comparison with another difference in correctness from base."""
    test = Significance(n_prompts=10, planned=True, p=p, p_holm=p, detectable=0.2)
    differences = [
        dataclasses.replace(
            one,
            estimates={**one.estimates, "correctness": Estimate(**correctness)},
            tests={**one.tests, "correctness": test},
        )
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
        ({"value": 0.14, "low": 0.09, "high": 0.19, "p": 0.0001}, "95 %: 9 to 19; p < 0.001) and keeps"),
        ({"value": 0.14, "low": 0.09, "high": 0.19, "p": 0.05}, "is not shown to differ in correctness from base"),
        ({"value": 0.14, "low": 0.09, "high": 0.19, "p": 0.2}, "9 to 19; p = 0.2; interval and test disagree)"),
        ({"value": 0.14, "low": -0.01, "high": 0.29, "p": 0.01}, "p = 0.01; interval and test disagree)"),
        ({"value": 0.14, "low": 0.09, "high": 0.19, "p": None}, "9 to 19; no p); before correction, 10 prompts"),
        (
            {"value": 0.1, "low": -0.1, "high": 0.3, "p": 0.4},
            "10 prompts would probably show a difference of 20 points. It keeps",
        ),
        ({"value": None}, "there is no correctness to compare"),
    ],
)
def test_the_summary_follows_the_numbers(comparison, correctness, said):
    assert said in sentences(changed(comparison, "DPO τ=0.5", **correctness))[0]


def test_of_models_of_one_threshold_the_last_comes_first(evaluations):
    dpo = [one for one in evaluations if one.threshold == 0.5]
    online = [
        dataclasses.replace(one, name="GRPO", identity="g", started_from=(one.identity, *one.started_from))
        for one in dpo
    ]
    found = sentences(compare([*evaluations, *online], resamples=20))
    assert found[0].startswith("GRPO at τ = 0.5")
    assert "than DPO τ=0.5" in found[0]
    supervised = [dataclasses.replace(one, name="halt-per-tau", role="supervised", identity="h") for one in dpo]
    assert sentences(compare([*evaluations, *supervised], resamples=20))[0].startswith("DPO at τ = 0.5")


def test_an_interval_without_zero_is_not_said_to_include_it(comparison):
    said = others(changed(comparison, "SFT", value=0.2, low=0.1, high=0.3))
    assert "95 %: 10 to 30; p = 0.01)" in next(one for one in said if one.startswith("SFT"))


def test_each_trained_model_has_one_sentence_on_it(comparison):
    told = [sentences(comparison)[0], *others(comparison)]
    spoken = [model.replace(" τ=", " at τ = ") for model in comparison.models if model != "base"]
    assert sorted(next(one for one in spoken if said.startswith(one)) for said in told) == sorted(spoken)


def test_training_is_compared_with_base_and_a_cut(comparison):
    base = comparison.cut("base", "greedy", 0.5)
    gain = comparison.less_base_cut("DPO τ=0.5", "greedy", 0.5).value
    both = comparison.difference("DPO τ=0.5 + cut", "base + cut", "greedy").utility[0.5].value
    said = next(one for one in sentences(comparison) if one.startswith("Without training"))
    assert f"base + cut earns {number(base.utility.value)} at τ = 0.5" in said
    assert f"DPO at τ = 0.5 earns {abs(gain):.2f} {'more' if gain >= 0 else 'less'} than that" in said
    assert f"and {abs(both):.2f} {'more' if both >= 0 else 'less'} with a cut of its own" in said


def silenced(evaluation, keep=0):
    """The evaluation whose responses say nothing, but on the first prompts, where they say what they said."""
    kept = list(dict.fromkeys(row.prompt_key for row in evaluation.scored))[:keep]
    rows, confidence = [], {}
    for row in evaluation.scored:
        given = evaluation.confidence[row.key]
        if row.prompt_key not in kept:
            row = dataclasses.replace(row, response="", fragments=[])
            given = dataclasses.replace(given, token_probability=[], halt_probability=[])
        rows.append(row)
        confidence[row.key] = given
    return dataclasses.replace(evaluation, scored=rows, confidence=confidence)


def test_a_model_that_says_nothing_right_is_not_said_not_to_differ(evaluations):
    base, sft = evaluations[:2]
    said = sentences(compare([base, silenced(sft)], resamples=20))
    assert said[0].startswith("SFT says nothing right: 0.00 right and 0.00 wrong facts per response, where base says")
    assert not any("not shown to differ" in one for one in said)
    wrong = [
        dataclasses.replace(
            row, fragments=[dataclasses.replace(f, label="incorrect", error=None) for f in row.fragments]
        )
        for row in sft.scored
    ]
    said = sentences(compare([base, dataclasses.replace(sft, scored=wrong)], resamples=20))
    assert said[0].startswith("SFT says nothing right: 0.00 right and ")
    page = render(compare([base, silenced(sft)], resamples=20), [base, silenced(sft)])
    assert "ECE 0.00" not in page
    assert "ECE –" in page


def test_few_prompts_with_a_verdict_are_too_few_to_compare(evaluations):
    base, sft = evaluations[:2]
    said = sentences(compare([base, silenced(sft, keep=3)], resamples=20))
    assert said[0].startswith("On 3 of 10 prompts alone both SFT and base state something right or wrong: too few to")


def test_a_model_lies_on_the_line_of_its_utility(comparison):
    for one in comparison.metrics:
        right = comparison.get("base", one.decoding)["right"].value
        for t in comparison.thresholds:
            through = equal_utility(one.utility[t].value, right, t, one["completeness"].value)
            assert through == pytest.approx(one["correctness"].value)


@pytest.mark.parametrize(("earned", "correctness"), [(0.0, 0.5), (0.5, 1.0), (-1.0, 0.25), (1.0, None)])
def test_lines_of_equal_utility(earned, correctness):
    assert equal_utility(earned, base_right=1, threshold=0.5, completeness=1) == correctness


def test_every_model_and_every_seed_is_on_the_frontier(comparison):
    drawn = trade_off(comparison, "greedy", 0.5)
    assert drawn.count('class="dot"') == len(comparison.models)
    assert drawn.count('class="seed"') == sum(len(one.seeds) for one in comparison.metrics if one.name != "base") // 2
    assert "iso zero" in drawn


def test_a_name_that_would_cover_another_is_left_to_the_legend(evaluations):
    dpo = [one for one in evaluations if one.threshold == 0.5]
    alike = [dataclasses.replace(one, name=f"copy {n}", identity=f"{n}") for n in range(9) for one in dpo]
    drawn = trade_off(compare([*evaluations, *alike], resamples=10), "greedy", 0.5)
    assert drawn.count('class="dot"') == len({one.label for one in [*evaluations, *alike]})
    assert drawn.count('class="label"') < drawn.count('class="dot"')


def test_prompts_are_won_drawn_and_lost(comparison, evaluations):
    found = wins(comparison, "greedy")
    assert len(found) == 3 * len(comparison.design.contrasts)
    assert all(one.won + one.drawn + one.lost == 10 for one in found)
    same = [dataclasses.replace(evaluations[0], name="SFT", role="supervised"), evaluations[0]]
    assert [(one.won, one.drawn, one.lost) for one in wins(compare(same, resamples=10), "greedy")] == [(0, 10, 0)] * 3


def test_where_models_halt(comparison, evaluations):
    found = {one.model: one for one in haltings(comparison, evaluations, "greedy")}
    # Base of the made-up folders states five facts and never halts.
    assert found["base"].reaching == [1.0] * 5
    assert found["base"].endings == {"says that it halts": 0, "simply ends": 1, "is cut off": 0, "says nothing": 0}
    for model, one in found.items():
        assert sum(one.endings.values()) == pytest.approx(1)
        assert one.endings["says that it halts"] == pytest.approx(comparison.get(model, "greedy")["halt_rate"].value)
        assert one.reaching == sorted(one.reaching, reverse=True)
    assert found["base"].right == [None] * 5, "ten prompts are too few for a share"


@pytest.mark.parametrize(
    ("labels", "finish", "how"),
    [
        (["correct", "halt"], "stop", 0),
        (["correct", "halt", "correct"], "length", 0),
        (["correct"], "stop", 1),
        (["correct"], "length", 2),
        ([], "stop", 3),
        ([], "length", 2),
    ],
)
def test_how_a_response_ends(evaluations, labels, finish, how):
    row = evaluations[0].scored[0]
    judged = [dataclasses.replace(row.fragments[0], label=label) for label in labels]
    assert ending(dataclasses.replace(row, fragments=judged, finish_reason=finish)) == ENDINGS[how]


def test_a_training_costs_what_it_started_from_too(comparison, evaluations, tmp_path):
    records = {"dpo": {"seconds": 120, "parameters": {"model_name_or_path": str(tmp_path / "sft")}}}
    records["sft"] = {"seconds": 60, "parameters": {"model_name_or_path": "a-name-on-the-hub"}}
    for name, record in records.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert trainings(tmp_path / "dpo") == [120, 60]
    assert trainings("a-name-on-the-hub") == []
    known = [dataclasses.replace(e, model=str(tmp_path / "dpo")) if e.label == "DPO τ=0.5" else e for e in evaluations]
    by_model = {one.model: one for one in costs(comparison, known, "greedy")}
    assert (by_model["DPO τ=0.5"].training, by_model["DPO τ=0.5"].whole) == (120, 180)
    assert by_model["SFT"].training is None
    assert by_model["base"].evaluation == 61.5


def test_models_are_told_apart_by_their_colour(evaluations):
    named = ["UNIT", "IDK", "MULTISAMPLE"]
    more = [dataclasses.replace(evaluations[1], name=name, identity=name) for name in named]
    tuned = [one for one in evaluations if one.name == "DPO"]
    others = ("GRPO", "conditioned", "halt-per-tau")
    more += [dataclasses.replace(one, name=name, identity=f"{name}{one.threshold}") for name in others for one in tuned]
    comparison = compare([*evaluations, *more], resamples=10)
    assert len({colour(comparison, model) for model in comparison.models}) == len(comparison.models)


def test_every_section_that_is_linked_is_there(page):
    seen = parse(page).seen
    ids = {attributes["id"] for _, attributes in seen if "id" in attributes}
    links = [attributes["href"][1:] for tag, attributes in seen if tag == "a"]
    assert len(links) > 10
    assert set(links) <= ids


def test_every_figure_has_a_name_and_every_colour_is_in_the_style_sheet(page):
    assert all(attributes.get("aria-label") for tag, attributes in parse(page).seen if tag == "svg")
    used = set(re.findall(r"var\((--[\w-]+)\)", page))
    assert used - {"--c"} <= set(re.findall(r"(--[\w-]+):", page))


def test_every_test_is_in_the_page(page, comparison):
    tests = [test for one in comparison.differences for test in one.tests.values()]
    assert page.count("p = ") + page.count("p &lt; ") >= sum(test.p is not None for test in tests)
    assert page.count("<small>not tested") == sum(not test.planned for test in tests)


def test_every_model_stands_beside_its_cut(page, comparison):
    first = page[page.index('id="glance"') : page.index('id="trade-off"')]
    found = re.findall(r"<small>\+ cut (\S+?)</small>", first)
    shown = [comparison.get(model, "greedy").utility_cut for model in comparison.models]
    assert found == [number(one.value) for cuts in shown for one in cuts.values()]


@pytest.mark.parametrize(
    ("low", "high", "whole", "ticks"),
    [
        (0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.3, 0.3, False, [-0.2, 0, 0.2]),
        (1, 3, True, [1, 2, 3]),
        (1, 12, True, [3, 6, 9, 12]),
    ],
)
def test_ticks_are_round(low, high, whole, ticks):
    assert svg.Axis(low, high, 0, 100).ticks(whole=whole) == pytest.approx(ticks)


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


def test_every_trained_model_has_its_switch_beside_its_threshold(comparison, evaluations, page):
    tuned = [one for one in comparison.speaking if one.threshold is not None]
    assert page.count('class="own-threshold"') == 2 * len(tuned) == 8
    defined = [its for one in comparison.speaking for its in (one.matter, one.words) if its.switch.value is not None]
    assert len(re.findall(r"passes 50 % at [\d(]", page)) == len(defined)
    causal = [dataclasses.replace(one, halting="causal") for one in evaluations]
    assert 'id="switch"' not in render(compare(causal, resamples=10), causal)


def test_examples_come_before_the_figures(page):
    sections = [attributes["id"] for tag, attributes in parse(page).seen if tag == "section" and "id" in attributes]
    assert sections[:3] == ["summary", "examples", "glance"]


def test_every_figure_says_in_a_sentence_how_it_is_read(page):
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(figures) > 10
    for one in figures:
        reading = re.search(r'<span class="reading">(.*?)</span>', one)
        # The reliabilities stand together under one sentence.
        assert "Reliability of" in one or (reading and reading[1].endswith(".")), one[:200]
    assert '<p class="reading">On the diagonal' in page


def test_figures_beside_each_other_have_one_scale(comparison):
    from rlhalt.report import plots

    def ticks(drawn, anchor):
        return re.findall(rf'class="tick" text-anchor="{anchor}">([^<]+)<', str(drawn))

    for draw in (plots.utility_lines, trade_off_at_half):
        greedy, sampled = (ticks(draw(comparison, one), "end") for one in ("greedy", "sampled"))
        assert greedy == sampled
    for draw in (plots.utilities, plots.gains):
        greedy, sampled = (ticks(draw(comparison, one), "middle") for one in ("greedy", "sampled"))
        assert greedy == sampled
    names = dict.fromkeys(one.confidence for one in comparison.calibrations)
    assert len({tuple(ticks(plots.risk_coverage(comparison, one), "end")) for one in names}) == 1


def trade_off_at_half(comparison, decoding):
    return trade_off(comparison, decoding, 0.5)


def test_an_empty_figure_says_why(evaluations):
    from rlhalt.report import halting, plots, switch_point

    alone = compare([evaluations[0]], resamples=10)
    assert "fewer than 20 verdicts" in halting.right(alone, haltings(alone, [evaluations[0]], "greedy"))
    assert "no model was trained at a τ" in switch_point.correctness(alone, "greedy")
    assert "base made too few statements" in switch_point.curves(alone, "greedy", "matter")
    silent = silenced(evaluations[0])
    nothing = compare([silent], resamples=10)
    assert "no model states a fact" in trade_off(nothing, "greedy", 0.5)
    assert "no model states a fact" in halting.reaching(nothing, haltings(nothing, [silent], "greedy"))
    assert "no fact has both" in plots.risk_coverage(nothing, "token_probability")


def test_a_measure_that_is_the_same_for_all_models_is_a_note(page, comparison):
    table = re.search(r'<section id="table">.*?</table>', page, re.DOTALL)[0]
    for row in re.findall(r'<th scope="row"[^>]*>([^<]+)</th>(.*?)</tr>', table, re.DOTALL):
        cells = re.findall(r"<td>(.*?)</td>", row[1], re.DOTALL)
        assert len(set(cells)) > 1, row[0]
    from rlhalt.evaluation.tables import rows

    same = [one.title.strip() for one in rows(comparison, "greedy") if one.same]
    note = re.search(r"The same for all models: (.*?)</p>", page)
    assert bool(same) == bool(note)
    assert all(one in note[1] for one in same)


def test_a_source_of_confidence_that_was_not_measured_is_a_note(page):
    assert "not measured</td>" not in page
    assert "Not measured for any model: " in page


def test_at_most_eight_models_are_drawn_at_first(evaluations):
    from rlhalt.report.palette import at_first

    dpo = [one for one in evaluations if one.threshold == 0.5]
    alike = [dataclasses.replace(one, name=f"copy {n}", identity=f"{n}") for n in range(9) for one in dpo]
    many = compare([*evaluations, *alike], resamples=10)
    seen = parse(render(many, [*evaluations, *alike])).seen
    boxes = [one for tag, one in seen if tag == "input" and one.get("name") == "shown"]
    drawn = {one["value"] for one in boxes if "checked" in one}
    assert len(drawn) == 8
    assert {one["value"] for one in boxes} == {str(n) for n in range(len(many.models))}
    assert {many.models[int(n)] for n in drawn} == set(at_first(many, "DPO τ=0.5")) >= {"base", "DPO τ=0.5"}
    # All that is drawn of a model can be hidden.
    assert {one["data-model"] for tag, one in seen if "data-model" in one} == {str(n) for n in range(len(many.models))}


def test_a_few_models_need_no_boxes(page):
    assert 'name="shown"' not in page


def test_one_rule_says_what_is_different(comparison):
    """A mark is filled where `Significance.shows` says so, and nowhere else."""
    from rlhalt.report import plots

    shown = sum(
        one.tests[name].shows(one.estimates[name])
        for one in comparison.differences
        if one.decoding == "greedy" and "correctness" in one.estimates
        for name in ("correctness", "completeness", *(f"utility@{t:g}" for t in comparison.thresholds))
    )
    drawn = str(plots.differences(comparison, "greedy"))
    assert drawn.count('class="dot"') == shown
    beyond = [one for one in comparison.differences if one.versus == "base + cut" and one.decoding == "greedy"]
    planned = sum(
        one.tests[f"utility@{t:g}"].shows(one.utility[t])
        for one in beyond
        if one.model in {f"{model} + cut" for model in comparison.models}
        for t in comparison.thresholds
    )
    assert str(plots.gains(comparison, "greedy")).count('class="dot"') == planned


def test_models_of_one_name_are_drawn_over_their_thresholds(tmp_path):
    found = [load(folder) for folder in build(tmp_path, n_prompts=8, samples=1, seeds=(0,), thresholds=(0.8, 0.3, 0.5))]
    compared = compare(found, resamples=20)
    assert {name: [one.threshold for one in its] for name, its in families(compared, "greedy").items()} == {
        "DPO": [0.3, 0.5, 0.8]
    }
    assert render(compared, found).count("Right and wrong facts of DPO over τ") == len(compared.decodings)
    drawn = facts_over_thresholds(compared, "greedy", "DPO")
    for t in (0.3, 0.5, 0.8):
        for measure in ("right", "wrong"):
            assert f"{measure} facts of DPO τ={t:g}: " in drawn
    parse(str(drawn))


def test_models_at_two_thresholds_are_not(comparison, page):
    assert families(comparison, "greedy") == {}
    assert "How much is said at each τ" not in page
