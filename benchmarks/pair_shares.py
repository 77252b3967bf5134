"""What pairs and targets each style and method makes of real data: the tables of docs/pairs.md.

    python benchmarks/pair_shares.py scored.jsonl --tokenizer smollm2-135m-instruct
    python benchmarks/pair_shares.py --factscore ../shared/data/factscore

Scored rows come from a file that `rlhalt score` wrote, or from FActScore's biographies with the labels people gave
them, by fact and by sentence.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from rlhalt.domains import load_domain
from rlhalt.models.names import resolve_model
from rlhalt.records import Scored, read
from rlhalt.training.token_alignment import align, reasons
from rlhalt.training_data import Method, Style, pairs, supervised
from rlhalt.training_data.pieces import finished
from rlhalt.training_data.statistics import shares
from rlhalt.training_data.targets.methods import METHODS
from rlhalt.training_data.targets.selection import by_prompt
from rlhalt.training_data.targets.self_consistency import by_agreement


def main() -> None:
    """Print the tables, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scored", nargs="*", help="JSON lines of scored responses")
    parser.add_argument("--factscore", type=Path, help="folder of FActScore's labelled biographies")
    parser.add_argument("--threshold", type=float, default=0.5, help="τ of the pairs")
    parser.add_argument("--tokenizer", help="count the pairs that are not aligned under this model's tokenizer")
    args = parser.parse_args()
    tokenizer = None
    if args.tokenizer:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(resolve_model(args.tokenizer))
    for name, rows in _data(args.scored, args.factscore):
        print(f"\n## {name}\n")
        print(_fragments(rows))
        phrase = load_domain(rows[0].domain).halting_phrase
        print(_pairs(rows, args.threshold, tokenizer, phrase))
        print(_targets(rows, args.threshold, phrase))
        print(_odds(rows))


def _data(files: Sequence[str], factscore: Path | None) -> Iterator[tuple[str, list[Scored]]]:
    for file in files:
        yield file, list(read(file, Scored))
    if factscore is not None:
        from rlhalt.domains.biography import factscore as source

        for granularity in ("facts", "sentences"):
            paths = [factscore / f"{model}.jsonl" for model in ("ChatGPT", "InstructGPT")]
            yield f"FActScore, by {granularity}", source.read(paths, granularity).rows


def _fragments(rows: Sequence[Scored]) -> str:
    labels = [one.label for row in rows for one in row.fragments]
    right, wrong = labels.count("correct"), labels.count("incorrect")
    prompts = len({row.prompt_key for row in rows})
    return (
        f"{len(rows)} responses to {prompts} prompts, {len(labels)} fragments: {right} right, {wrong} wrong, "
        f"{len(labels) - right - wrong} other; {right / (right + wrong):.0%} of the decided are right\n"
    )


def _pairs(rows: Sequence[Scored], threshold: float, tokenizer: Any, phrase: str) -> str:
    lines = [
        f"| style | pairs | a response | without a pair | prefer to halt | of the weight at τ = {threshold:g} | cut |"
        + (" not aligned |" if tokenizer else ""),
        "| --- | --: | --: | --: | --: | --: | --: |" + (" --: |" if tokenizer else ""),
    ]
    for style in get_args(Style):
        found = shares(rows, threshold, style, phrase)
        made = list(pairs(rows, threshold, style, phrase))
        shared = sum(one.cut / len(one.rejected[0]["content"]) for one in made) / len(made)
        line = (
            f"| `{style}` | {found.pairs} | {found.pairs / len(rows):.2f} | {found.silent / len(rows):.0%} | "
            f"{found.halting_share:.0%} | {found.halting_weight:.0%} | {shared:.0%} |"
        )
        if tokenizer:
            refused = align(tokenizer, made)[1]
            line += f" {len(refused)}{f' {reasons(refused)}' if refused else ''} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _targets(rows: Sequence[Scored], threshold: float, phrase: str) -> str:
    lines = ["| method | targets | only the phrase | characters |", "| --- | --: | --: | --: |"]
    for name in METHODS:
        if name in ("reference", "s3ft") and not all("answer" in row.reference for row in rows):
            continue
        made = list(supervised(rows, Method(name, threshold=threshold), phrase))
        texts = [one.completion[0]["content"] for one in made]
        if not texts:
            continue
        silent = sum(text == phrase for text in texts)
        mean = sum(map(len, texts)) / len(texts)
        lines.append(f"| `{name}` | {len(texts)} | {silent / len(texts):.0%} | {mean:.0f} |")
    return "\n".join(lines) + "\n"


def _odds(rows: Sequence[Scored]) -> str:
    """How often facts are right that so many of a prompt's responses state; nothing where all prompts have one."""
    groups = by_prompt(rows)
    if max(map(len, groups)) < 3:
        return ""
    odds = by_agreement(groups)
    found: dict[float, list[bool]] = {}
    for row in (row for group in groups for row in group):
        for fragment, value in zip(finished(row), odds[row.key], strict=True):
            if fragment.label in ("correct", "incorrect"):
                found.setdefault(value, []).append(fragment.label == "correct")
    lines = ["| probability by agreement | decided fragments | right |", "| --: | --: | --: |"]
    for value, right in sorted(found.items()):
        lines.append(f"| {value:.2f} | {len(right)} | {sum(right) / len(right):.0%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
