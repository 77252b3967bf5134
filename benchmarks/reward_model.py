"""How well trained reward models find the errors of responses, beside confidences that need no training.

    rlhalt prompts --domain countries --split train --output train.jsonl          # and heldout
    rlhalt sample --model smollm2-135m-instruct --prompts train.jsonl --few-shot --output responses.jsonl
    rlhalt score --responses responses.jsonl --output train-scored.jsonl          # and so for the held-out prompts
    OMP_NUM_THREADS=1 python benchmarks/reward_model.py countries --train train-scored.jsonl \\
        --heldout heldout-scored.jsonl --other gemma-heldout-scored.jsonl
    OMP_NUM_THREADS=1 python benchmarks/reward_model.py factscore --data ../shared/data/factscore
    OMP_NUM_THREADS=1 python benchmarks/reward_model.py gsm8k --data ../shared/data/gsm8k/model-solutions-600.jsonl

Each prints JSON. All numbers are on prompts (people, problems) that the reward model did not see, with 95 % intervals
over prompts, of one probe for each seed. `less NAME` is the difference of AUROC, paired over prompts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.cut.decision import kept
from rlhalt.cut.probability import fitted
from rlhalt.domains import load_domain
from rlhalt.domains.biography import factscore
from rlhalt.evaluation.bootstrap import Floats, estimate, weights
from rlhalt.evaluation.calibration import ece, equal_width
from rlhalt.evaluation.confidence_arrays import Judged, judged
from rlhalt.evaluation.cross_fitting import cross_fitted, halves
from rlhalt.evaluation.selective_prediction import auprc, auroc
from rlhalt.models.names import load_policy
from rlhalt.records import Json, Response, Scored, content_key, iter_json, read, user
from rlhalt.reference import n_asked
from rlhalt.reward_model.figures import first_error, with_labels
from rlhalt.reward_model.hidden_states import candidate_layers, hidden_states
from rlhalt.reward_model.labels import fragment_labels, up_to_last_label
from rlhalt.reward_model.parts import folds, parts
from rlhalt.reward_model.probe import chosen
from rlhalt.reward_model.reader import Reader, confidence, probabilities
from rlhalt.rewards import Halting, fragment_rewards
from rlhalt.uncertainty import token_probability
from rlhalt.uncertainty.agreement import agreements
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import lexical
from rlhalt.uncertainty.recalibration import platt

Values = list[list[float]]
THRESHOLDS = (0.3, 0.5, 0.8, 0.95)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("countries", "factscore", "gsm8k"))
    parser.add_argument("--model", default="smollm2-135m-instruct", help="the model that reads")
    parser.add_argument("--seeds", type=int, default=3, help="of the parts of the prompts")
    parser.add_argument("--train", nargs="+", help="countries: rows to learn from")
    parser.add_argument("--heldout", help="countries: rows of the same policy to held-out prompts")
    parser.add_argument("--other", help="countries: rows of another policy to held-out prompts")
    parser.add_argument("--other-model", default="gemma-3-270m", help="countries: that policy")
    parser.add_argument("--trained", nargs="*", default=[], help="countries: folders of `rlhalt train reward`")
    parser.add_argument("--data", help="factscore: a folder; gsm8k: a file")
    parser.add_argument("--responses", type=int, default=600, help="gsm8k: problems")
    options = parser.parse_args()
    found = {"countries": of_countries, "factscore": of_factscore, "gsm8k": of_gsm8k}[options.what](options)
    print(json.dumps(found, ensure_ascii=False, indent=1))


def of_countries(options: argparse.Namespace) -> Json:
    """Held-out countries, in the policy's own responses and in another model's."""
    train = [row for path in options.train for row in read(path, Scored)]
    sets = {options.model: list(read(options.heldout, Scored))}
    if options.other:
        sets[options.other_model] = list(read(options.other, Scored))
    reading = Reading(options.model)
    states = reading.states(train)
    report: Json = {"train": about(train, "independent")}
    probes = {seed: reading.probe(train, states, "independent", seed) for seed in range(options.seeds)}
    report["layers"] = [one.layer for one in probes.values()]
    examples = load_domain("countries").few_shot()
    seen = {**from_tokens(options.model, train, examples), "agreement of samples": support(train)}
    for policy, rows in sets.items():
        untrained = {**from_tokens(policy, rows, examples), "agreement of samples": support(rows)}
        its = reading.states(rows)
        trained: dict[str, Values] = {f"probe, seed {seed}": one.said(its) for seed, one in probes.items()}
        trained |= {
            f"all together, seed {seed}": combined(
                one, list(seen.values()), trained[f"probe, seed {seed}"], [untrained[name] for name in seen]
            )
            for seed, one in probes.items()
        }
        trained |= {Path(folder).name: probabilities(folder, rows) for folder in options.trained}
        everything = {**untrained, **trained}
        report[f"responses of {policy}"] = about(rows, "independent") | {
            "confidences": {
                name: measured(rows, values, "independent", {} if name in untrained else untrained)
                for name, values in everything.items()
            },
            "utility of the cut, a response": {
                name: utilities(rows, values, everything["token probability, mean"])
                for name, values in everything.items()
            },
        }
    return report


def of_factscore(options: argparse.Namespace) -> Json:
    """Biographies that people have labelled, split by person; a text-only baseline beside."""
    files = [Path(options.data) / name for name in ("ChatGPT.jsonl", "InstructGPT.jsonl")]
    reading = Reading(options.model)
    return {
        granularity: apart(factscore.read(files, granularity).rows, "independent", reading, options.seeds)
        for granularity in ("sentences", "facts")
    }


def of_gsm8k(options: argparse.Namespace) -> Json:
    """Solutions of four models, split by problem; the verdicts of the domain's verifier on their steps."""
    scorer = load_domain("maths").scorer()
    rows = []
    for number, problem in iter_json(Path(options.data)):
        if number > options.responses:
            break
        asked = user(problem["question"])
        reference = {"answer": problem["ground_truth"], "question": problem["question"]}
        said = {name: one["solution"] for name, one in problem.items() if isinstance(one, dict)}
        for index, (name, text) in enumerate(said.items()):
            row = Response(
                content_key(number, name), content_key(number), index, asked, text, reference, "maths", "train",
                "stop", {"model": name}, 0,
            )  # fmt: skip
            rows.append(scorer.score(row))
    return apart(rows, "causal", Reading(options.model), options.seeds)


class Reading:
    """A model that reads, and its hidden states at all layers that a probe may choose."""

    def __init__(self, model: str) -> None:
        self._policy, tokenizer = load_policy(model)
        self._reader = Reader.of(self._policy, tokenizer, {})
        self._layers = candidate_layers(self._policy)

    def states(self, rows: Sequence[Scored]) -> list[Any]:
        """One array states_F_L_H for each response."""
        return hidden_states(self._policy, self._reader.rows(rows), self._layers)

    def probe(self, rows: Sequence[Scored], states: Sequence[Any], halting: Halting, seed: int) -> Probed:
        """What `rlhalt train reward` learns of rows."""
        kept = [
            (one, label, (place, number))
            for place, (its, row) in enumerate(zip(states, rows, strict=True))
            for number, (one, label) in enumerate(zip(its, fragment_labels(row.fragments, halting), strict=True))
            if label is not None and np.isfinite(one).all()
        ]
        correct = np.array([label for _, label, _ in kept], dtype=np.float64)
        fold = folds(rows, seed)[[place for *_, (place, _) in kept]]
        choice = chosen(np.array([one for one, *_ in kept]), correct, fold, self._layers)
        calibration = fitted("platt", confidence(choice.crossed), correct)
        place = self._layers.index(choice.probe.layer)

        def said(other: Sequence[Any]) -> Values:
            return [calibration(confidence(choice.probe.scores(one[:, place]))).tolist() for one in other]

        crossed = calibration(confidence(choice.crossed)).tolist()
        return Probed(said, choice.probe.layer, [place for *_, place in kept], crossed, correct.tolist())


@dataclasses.dataclass(frozen=True)
class Probed:
    """A probe.

    Attributes:
        said: calibrated probabilities from the states of other rows.
        layer: that it reads.
        places: row and fragment of what it learnt from.
        crossed: what probes of other prompts said of those.
        correct: their labels.
    """

    said: Callable[[Sequence[Any]], Values]
    layer: int
    places: list[tuple[int, int]]
    crossed: list[float]
    correct: list[float]


def combined(probed: Probed, learnt: Sequence[Values], probe: Values, others: Sequence[Values]) -> Values:
    """A probe and confidences that need no training, together: logistic regression on their log-odds.

    Args:
        learnt: of each other confidence the values of the rows that the probe learnt from.
        probe: what the probe says of other rows.
        others: of each other confidence, in the same order, the values of these.
    """
    from sklearn.linear_model import LogisticRegression

    def log_odds(*columns: Sequence[float]) -> Floats:
        p = np.clip(np.array(columns, dtype=np.float64).T, 1e-4, 1 - 1e-4)
        return np.log(p) - np.log1p(-p)

    columns = [[one[row][number] for row, number in probed.places] for one in learnt]
    model = LogisticRegression(C=1.0, max_iter=1000).fit(log_odds(probed.crossed, *columns), probed.correct)
    found = []
    for place, its in enumerate(probe):
        values = log_odds(its, *(one[place] for one in others))
        sure = np.full(len(its), np.nan)
        finite = np.isfinite(values).all(axis=1) if len(its) else np.zeros(0, dtype=bool)
        if finite.any():
            sure[finite] = model.predict_proba(values[finite])[:, 1]
        found.append(sure.tolist())
    return found


def apart(rows: Sequence[Scored], halting: Halting, reading: Reading, seeds: int) -> Json:
    """A probe on some prompts and measured on others, beside the words of the fragments alone."""
    rows = [up_to_last_label(one, halting) for one in rows]
    states = reading.states(rows)
    place = {row.key: number for number, row in enumerate(rows)}
    report: Json = about(rows, halting)
    for seed in range(seeds):
        split = parts(rows, seed)
        learnt, test = [*split.train, *split.validation], split.test
        probed = reading.probe(learnt, [states[place[row.key]] for row in learnt], halting, seed)
        words = bag_of_words(learnt, test, halting)
        values = probed.said([states[place[row.key]] for row in test])
        report[f"seed {seed}"] = {
            "test": about(test, halting),
            "layer": probed.layer,
            "bag of words": measured(test, words, halting, {}),
            "probe": measured(test, values, halting, {"bag of words": words}),
        }
        print(f"seed {seed} done", file=sys.stderr, flush=True)
    return report


def bag_of_words(learnt: Sequence[Scored], test: Sequence[Scored], halting: Halting) -> Values:
    """P(correct) from the words and word pairs of a fragment alone: logistic regression on TF-IDF."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    found = [
        (one.claim or one.text, label)
        for row in learnt
        for one, label in zip(row.fragments, fragment_labels(row.fragments, halting), strict=True)
        if label is not None
    ]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2), LogisticRegression(C=1.0, max_iter=1000))
    model.fit([text for text, _ in found], [label for _, label in found])
    return [
        model.predict_proba([one.claim or one.text for one in row.fragments])[:, 1].tolist() if row.fragments else []
        for row in test
    ]


def from_tokens(policy: str, rows: Sequence[Scored], examples: Sequence[Any]) -> dict[str, Values]:
    """What the policy's own probabilities say, asked as it was asked for the responses."""
    sure = token_probability.confidences(policy, rows, examples)
    return {
        "token probability, mean": [one.token_probability for one in sure],
        "token probability, least": [one.token_minimum or [] for one in sure],
        "claim-conditioned": list(ccp(alternatives(policy, rows, examples), lexical)),
    }


def support(rows: Sequence[Scored]) -> Values:
    """The share of the other responses that say so too."""
    return [[one.support for one in its] for its in agreements(rows, lexical)]


def about(rows: Sequence[Scored], halting: Halting) -> Json:
    """How many prompts, responses and fragments there are, and the share of correct ones."""
    labels = [one for row in rows for one in fragment_labels(row.fragments, halting) if one is not None]
    prompts = len({row.prompt_key for row in rows})
    share = round(float(np.mean(labels)), 4)
    return {"prompts": prompts, "responses": len(rows), "fragments": len(labels), "correct": share}


def measured(rows: Sequence[Scored], values: Values, halting: Halting, others: dict[str, Values]) -> Json:
    """Every measure of one confidence, and how far its AUROC is above those of others, paired over prompts."""
    position = {key: place for place, key in enumerate(dict.fromkeys(row.prompt_key for row in rows))}
    its = with_labels(rows, values, halting, position)
    drawn = weights(len(position), seed=0)
    ranking = auroc(its, drawn)
    found: Json = {
        "n": len(its.confidence),
        "auroc": shown(ranking),
        "auprc of incorrect": shown(auprc(its, drawn)),
        "ece": shown(ece(its, drawn, equal_width())),
        "ece, cross-fitted": shown(ece(crossed(its, len(position)), drawn, equal_width())),
        "first error, F1": shown(first_error(rows, values, halting, position, drawn)),
    }
    for name, other in others.items():
        theirs = auroc(with_labels(rows, other, halting, position), drawn)
        found[f"auroc, less {name}"] = shown(ranking - theirs)
    return found


def utilities(rows: Sequence[Scored], values: Values, baseline: Values) -> Json:
    """The τ-utility of responses cut by a confidence, mapped by the other half of the prompts; less a baseline's.

    As `rlhalt compare` has it for models + cut, see `rlhalt.evaluation.cut`.
    """
    drawn = weights(len({row.prompt_key for row in rows}), seed=0)
    found: Json = {}
    for threshold in THRESHOLDS:
        draws = [drawn @ earned(rows, one, threshold) / drawn.sum(1) for one in (values, baseline)]
        found[f"{threshold:g}"] = shown(draws[0])
        found[f"{threshold:g}, less token probability, mean"] = shown(draws[0] - draws[1])
    return found


def earned(rows: Sequence[Scored], values: Values, threshold: float) -> Floats:
    """The mean utility of each prompt's responses, cut at τ."""
    keys = list(dict.fromkeys(row.prompt_key for row in rows))
    position = {key: place for place, key in enumerate(keys)}
    mapped = cross_fitted(with_labels(rows, values, "independent", position), platt, halves(len(keys), seed=0))
    total, n = np.zeros(len(keys)), np.zeros(len(keys))
    for row, its in zip(rows, values, strict=True):
        at = position[row.prompt_key]
        sure = mapped(np.array(its, dtype=np.float64), np.full(len(its), at))
        said = [row.fragments[number] for number in kept(row.fragments, sure.tolist(), threshold, "independent")]
        total[at] += sum(one or 0 for one in fragment_rewards(said, threshold, "independent", n_asked(row.reference)))
        n[at] += 1
    return total / n


def crossed(its: Judged, n_prompts: int) -> Judged:
    """The same after Platt's map of the other half of these prompts."""
    mapped = cross_fitted(its, platt, halves(n_prompts, seed=0))(its.confidence, its.prompt)
    return judged(mapped.tolist(), (its.correct == 1).tolist(), its.prompt.tolist())


def shown(draws: Floats) -> list[float | None]:
    """Value, low, high."""
    one = estimate(draws)
    return [None if value is None else round(value, 4) for value in (one.value, one.low, one.high)]


if __name__ == "__main__":
    main()
