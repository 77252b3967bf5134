"""How well the policy's own doubt tells right fragments from wrong ones, against the knowledge base's verdicts.

    OMP_NUM_THREADS=1 python benchmarks/uncertainty.py --scored scored.jsonl    # prints JSON; 66 seconds of one core

docs/pairs.md has the commands that make the rows.

Of each prompt's sampled responses the first two are judged; all the others are samples to agree with. No predictor sees
the verdicts. `--nli` names a trained classifier in the place of the lexical comparison.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.chat.templates import Template
from rlhalt.domains import countries
from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Floats, divide, estimate, weights
from rlhalt.evaluation.calibration import brier
from rlhalt.evaluation.confidence_arrays import Judged, judged
from rlhalt.evaluation.selective_prediction import auroc
from rlhalt.models.names import load_policy
from rlhalt.records import Json, Scored, read
from rlhalt.uncertainty.agreement import agreements
from rlhalt.uncertainty.ccp import alternatives, ccp, token_probability
from rlhalt.uncertainty.nli import NLI, Relation, classifier, lexical
from rlhalt.uncertainty.proxy_labels import QUANTILE, mark_uncertain

PAIRS = Path(__file__).parents[1] / "tests" / "nli_pairs.jsonl"
BASELINES = ("token probability, mean", "token probability, product")
QUANTILES = (QUANTILE, 0.5)
FEW = 20
Certainty = list[list[float]]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scored", required=True, help="rows scored by the knowledge base")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="the policy that wrote the responses")
    parser.add_argument("--judged", type=int, default=2, help="responses a prompt that are judged")
    parser.add_argument("--nli", help="folder or hub name of a trained NLI classifier; default: the lexical one")
    options = parser.parse_args()

    everything = list(read(options.scored, Scored))
    rows = [row for row in everything if row.index < options.judged and row.fragments]
    nli = classifier(options.nli) if options.nli else lexical
    started = time.process_time()
    found = {
        **from_tokens(options.model, rows, nli, ["claim", "token"] if options.nli else ["claim"]),
        **from_samples(rows, everything, nli, whole=bool(options.nli)),
    }
    seconds = time.process_time() - started
    report = {
        "scored": options.scored,
        "policy": options.model,
        "nli": options.nli or "lexical",
        "prompts": len({row.prompt_key for row in rows}),
        "responses": len(rows),
        "fragments": Counter(one.label for row in rows for one in row.fragments),
        "cpu seconds": round(seconds, 1),
        "predictors": {name: measured(rows, found, name) for name in found},
        "auroc within a relation": by_relation(rows, found),
        "nli on hand-labelled pairs": on_pairs({"lexical": lexical, "the policy, asked": asked(options.model)}),
    }
    print(json.dumps(report, ensure_ascii=False, indent=1))


def from_tokens(model: str, rows: list[Scored], nli: NLI, contexts: Sequence[Any]) -> dict[str, Certainty]:
    """What one forward pass tells, with and without an NLI model."""
    positions = list(alternatives(model, rows, countries.few_shot()))

    def opposed(pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        return ["contradiction"] * len(pairs)

    return {
        BASELINES[0]: [[token_probability(one) for one in row] for row in positions],
        BASELINES[1]: [[token_probability(one) ** len(one) for one in row] for row in positions],
        "CCP, every alternative taken for a contradiction": list(ccp(positions, opposed)),
        **{f"CCP, {context} context": list(ccp(positions, nli, context)) for context in contexts},
    }


def from_samples(rows: list[Scored], everything: list[Scored], nli: NLI, whole: bool) -> dict[str, Certainty]:
    """What the other responses to the same prompt tell."""
    keys = {row.key for row in rows}
    counted = zip(everything, agreements(everything, nli, whole), strict=True)
    counts = [one for row, one in counted if row.key in keys]
    return {
        f"agreement, {measure}": [[getattr(one, measure) for one in row] for row in counts]
        for measure in ("support", "consistency", "contrast")
    }


def decided(rows: list[Scored], certainty: Certainty, kind: str | None = None) -> Judged:
    """The fragments that the knowledge base decides, with a certainty; of one relation, or of all."""
    prompts = {key: place for place, key in enumerate(dict.fromkeys(row.prompt_key for row in rows))}
    found = [
        (value, one.label == "correct", prompts[row.prompt_key])
        for row, values in zip(rows, certainty, strict=True)
        for one, value in zip(row.fragments, values, strict=True)
        if one.label in ("correct", "incorrect") and kind in (None, relation(one.evidence or ""))
    ]
    return judged(*map(list, zip(*found, strict=True)))


def relation(evidence: str) -> str:
    """The relation that a verdict of the knowledge base rests on."""
    return evidence.removeprefix("denies ").split(":")[0]


def measured(rows: list[Scored], found: dict[str, Certainty], name: str) -> Json:
    """AUROC and Brier score of a certainty, and how the labels that `mark_uncertain` makes of it fare."""
    certainty = found[name]
    fragments = decided(rows, certainty)
    draws = weights(int(fragments.prompt.max()) + 1, seed=0)
    ranking = auroc(fragments, draws)
    values, right = fragments.confidence, fragments.correct == 1
    result: Json = {
        "auroc": rounded(ranking),
        **{f"auroc, less {one}": rounded(ranking - auroc(decided(rows, found[one]), draws)) for one in BASELINES},
        "brier": rounded(brier(fragments, draws)),
        "balanced accuracy of the best limit": max(
            round(float((values[right] >= limit).mean() + (values[~right] < limit).mean()) / 2, 4)
            for limit in np.unique(values)
        ),
    }
    for quantile in QUANTILES:
        result[f"at the {quantile:.0%} quantile"] = as_labels(rows, certainty, fragments, draws, quantile)
    return result


def as_labels(
    rows: list[Scored], certainty: Certainty, fragments: Judged, draws: Floats, quantile: float
) -> Json | str:
    """The labels that `mark_uncertain` gives the decided fragments, against the knowledge base's."""
    try:
        marked = mark_uncertain(rows, certainty, "measured/1", quantile)
    except InputError as error:
        return error.message
    sure = decided(rows, [[float(one.label == "correct") for one in row.fragments] for row in marked]).confidence

    def share(of: Floats, among: Floats) -> Floats:
        def count(chosen: Floats) -> Floats:
            return draws @ np.bincount(fragments.prompt, weights=chosen, minlength=draws.shape[1])

        return divide(count(of * among), count(among))

    correct, wrong, unsure = fragments.correct, 1 - fragments.correct, 1 - sure
    return {
        "balanced accuracy": rounded((share(sure, correct) + share(unsure, wrong)) / 2),
        "marked incorrect": rounded(share(unsure, np.ones_like(sure))),
        "wrong, of those marked incorrect": rounded(share(wrong, unsure)),
        "right, of those marked correct": rounded(share(correct, sure)),
    }


def by_relation(rows: list[Scored], found: dict[str, Certainty]) -> Json:
    """AUROC within each relation of the table: without what is to be had from the kind of fact alone."""
    kinds = Counter(
        relation(one.evidence or "") for row in rows for one in row.fragments if one.label in ("correct", "incorrect")
    )
    table: Json = {}
    for kind in (kind for kind, _ in kinds.most_common()):
        parts = {name: decided(rows, values, kind) for name, values in found.items()}
        correct = parts[BASELINES[0]].correct
        if min(correct.sum(), (1 - correct).sum()) >= FEW:
            draws = weights(int(max(one.prompt.max() for one in parts.values())) + 1, seed=0)
            table[kind] = {"n": len(correct), "right": round(float(correct.mean()), 4)} | {
                name: rounded(auroc(part, draws)) for name, part in parts.items()
            }
    return table


def asked(model: str) -> NLI:
    """An NLI by asking a language model "True, False, or Neither?" (Brown et al., arXiv 2005.14165, ANLI).

    The answer is the word whose log-probability rises most against the same question with "N/A" in the place of both
    texts (contextual calibration, Zhao et al., arXiv 2102.09690).
    """
    import torch

    policy, tokenizer = load_policy(model)
    answers: dict[str, Relation] = {"True": "entailment", "False": "contradiction", "Neither": "neutral"}
    first = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in answers]

    def scores(premise: str, hypothesis: str) -> Any:
        question = f"{premise}\nQuestion: {hypothesis} True, False, or Neither?\nAnswer with one word."
        text = Template(tokenizer).asked([{"role": "user", "content": question}])
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"].to(policy.device)
        with torch.no_grad():
            return policy(ids, logits_to_keep=1).logits[0, -1].float().log_softmax(-1)[first]

    empty = scores("N/A", "N/A")
    return lambda pairs: [list(answers.values())[int((scores(*pair) - empty).argmax())] for pair in pairs]


def on_pairs(models: dict[str, NLI]) -> Json:
    """Each NLI model on pairs of sentences that the policy wrote, labelled by hand."""
    pairs = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    labels = [one["relation"] for one in pairs]
    table: Json = {"labels": Counter(labels)}
    for name, model in models.items():
        answers = list(model([(one["premise"], one["hypothesis"]) for one in pairs]))
        hits = Counter(label for label, answer in zip(labels, answers, strict=True) if label == answer)
        table[name] = {
            "accuracy": round(sum(hits.values()) / len(pairs), 4),
            "recall": {label: round(hits[label] / n, 4) for label, n in Counter(labels).items()},
            "precision": {label: round(hits[label] / n, 4) for label, n in Counter(answers).items()},
        }
    return table


def rounded(draws: Floats) -> Json:
    """The estimate of draws with its 95 % interval over prompts."""
    return {
        name: value if value is None else round(value, 4) for name, value in dataclasses.asdict(estimate(draws)).items()
    }


if __name__ == "__main__":
    main()
