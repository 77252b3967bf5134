"""What the maths verifier pays and how it agrees, on the solutions of four models, as JSON.

    python benchmarks/maths.py answer-line FILE    # wrong solutions, as they are and without their last line
    python benchmarks/maths.py opinions FILE       # the final answers: our reading beside math-verify
    python benchmarks/maths.py steps FILE          # reward/maths/audit-steps.jsonl beside the verdicts
    python benchmarks/maths.py time FILE           # user CPU seconds for all solutions

FILE is GSM8K's `model-solutions-600.jsonl`. Mean rewards are those of a response at τ = 0.5 (`response_reward`), in the
halting of the domain.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rlhalt.domains import load_domain
from rlhalt.fragments.endings import label_of_answer
from rlhalt.records import Fragment, iter_json
from rlhalt.rewards import response_reward
from rlhalt.verifiers.answers import cleaned
from rlhalt.verifiers.equality import MathVerify, TooSlow, equal
from rlhalt.verifiers.solutions import read

LABELS = Path(__file__).parents[1] / "reward" / "maths" / "audit-steps.jsonl"
TAU = 0.5
Json = dict[str, Any]


def solutions(path: Path) -> Iterator[tuple[int, str, Json, Json]]:
    """Problem, model, its solution and the reference."""
    for problem, (_, row) in enumerate(iter_json(path)):
        reference = {"answer": row["ground_truth"], "question": row["question"]}
        for model, said in row.items():
            if isinstance(said, dict):
                yield problem, model, said, reference


def answer_line(path: Path) -> Json:
    """The mean reward of wrong and of right solutions, as they are and without their last line."""
    domain = load_domain("maths")
    scorer = domain.scorer()
    rewards: dict[str, list[float]] = {}
    for _, _, said, reference in solutions(path):
        text = said["solution"].rstrip()
        kind = "right" if said["is_correct"] else "wrong"
        for name, shown in (("as it is", text), ("without its last line", text.rpartition("\n")[0])):
            reward = response_reward(scorer.judge(shown, reference), TAU, domain.halting)
            assert reward is not None
            rewards.setdefault(f"{kind}, {name}", []).append(reward)
    return {
        name: {
            "solutions": len(some),
            "mean reward": round(sum(some) / len(some), 4),
            "above 0": sum(one > 0 for one in some),
        }
        for name, some in rewards.items()
    }


def opinions(path: Path) -> Json:
    """How often what decides here and math-verify alone disagree on a final answer, and who is right by is_correct."""
    scorer = load_domain("maths").scorer()
    worker = MathVerify()
    ask = functools.lru_cache(maxsize=None)(worker)
    counts: Counter[str] = Counter()
    for _, _, said, reference in solutions(path):
        answers = [one for one in scorer.fragment(said["solution"]) if one.kind == "answer"]
        if not answers:
            counts["no answer"] += 1
            continue
        text = answers[-1].text[label_of_answer(answers[-1].text) :]
        gold = read(reference).answer
        ours = equal(gold, text, ask)
        try:
            theirs = ask(cleaned(gold), cleaned(text))
        except TooSlow:
            counts["math-verify is too slow"] += 1
            continue
        counts["answers"] += 1
        counts["disagree"] += ours is not None and ours != theirs
        counts["open"] += ours is None
        counts["ours as is_correct"] += ours == said["is_correct"]
        counts["math-verify as is_correct"] += theirs == said["is_correct"]
    worker.close()
    return dict(counts)


def steps(path: Path) -> Json:
    """The labels of single steps beside the verdicts."""
    scorer = load_domain("maths").scorer()
    known = {(problem, model): (said, reference) for problem, model, said, reference in solutions(path)}
    counts: Counter[str] = Counter()
    shown = []
    for _, label in iter_json(LABELS):
        said, reference = known[label["problem"], label["model"]]
        text = said["solution"]
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == label["solution_sha"]
        verdict = _at(scorer.judge(text, reference), label["start"], label["end"])
        counts[f"{label['label']}: {verdict.label}"] += 1
        if (label["label"], verdict.label) in (("right", "incorrect"), ("wrong", "correct"), ("follows", "correct")):
            told = {name: label[name] for name in ("problem", "model", "start", "label")}
            shown.append(told | {"verdict": verdict.label, "evidence": verdict.evidence, "note": label.get("note")})
    return {"counts": dict(sorted(counts.items())), "against the label": shown}


def _at(fragments: list[Fragment], start: int, end: int) -> Fragment:
    """The fragment that holds most of a step: a link may have been joined to its chain since it was labelled."""
    return max(fragments, key=lambda one: min(one.end, end) - max(one.start, start))


def time(path: Path) -> Json:
    """User CPU seconds that splitting and judging all solutions takes, after one for the imports."""
    scorer = load_domain("maths").scorer()
    some = list(solutions(path))
    scorer.judge(some[0][2]["solution"], some[0][3])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for _, _, said, reference in some:
        scorer.judge(said["solution"], reference)
    return {"solutions": len(some), "seconds": round(resource.getrusage(resource.RUSAGE_SELF).ru_utime - before, 2)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run = {"answer-line": answer_line, "opinions": opinions, "steps": steps, "time": time}
    parser.add_argument("part", choices=run)
    parser.add_argument("file", type=Path)
    args = parser.parse_args()
    print(json.dumps(run[args.part](args.file), indent=2))
