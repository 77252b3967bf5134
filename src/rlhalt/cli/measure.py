"""The verbs that measure: evaluate, certainty, general, compare, audit, choose."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from rlhalt.cli import flags
from rlhalt.errors import InputError

Verb = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Declare the verbs."""
    one = verb("evaluate", _evaluate, "held-out responses of a policy, scored, with its confidences")
    flags.sampling(one)
    one.add_argument(
        "--engine", type=flags.engine_here, choices=flags.ENGINES, help="vllm where installed, else transformers"
    )
    one.add_argument("--name", required=True, type=flags.text, help="base, SFT, DPO, ...: how it is shown")
    one.add_argument(
        "--threshold", type=flags.threshold, help="the τ it was trained at, or is asked at with --threshold-in-prompt"
    )
    one.add_argument(
        "--threshold-in-prompt",
        action="store_true",
        help="write the threshold into each prompt; see decisions --threshold-in-prompt",
    )
    one.add_argument("--base", type=flags.text, help="the pretrained model, asked what it would have generated next")
    one.add_argument("--temperature", type=flags.above_0, default=0.7, help="of the sampled responses")
    one.add_argument(
        "--samples", type=flags.whole(0), default=2, help="sampled responses per prompt, beside the greedy one"
    )
    flags.domain(one)
    flags.judging(one)
    one.add_argument("--output", required=True)

    one = verb(
        "certainty", _certainty, "add CCP or verbalised confidence to evaluation folders (one extra model pass each)"
    )
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote")
    one.add_argument("--by", nargs="+", required=True, choices=("ccp", "stated"), help="see docs/uncertainty.md")
    one.add_argument("--nli", help="a folder or hub name of an NLI classifier for ccp; words are compared if not given")

    one = verb("general", _general, "what evaluated policies do outside of their domain, for compare")
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote")
    one.add_argument("--text", help="a UTF-8 file that no policy was trained on, for bits per byte")
    one.add_argument("--engine", type=flags.engine_here, choices=flags.ENGINES, help="transformers if not given")

    one = verb("compare", _compare, "compare evaluations: table, metrics.json, metrics.csv, report.html")
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote, one of them named base")
    one.add_argument("--output", required=True)

    one = verb("audit", _audit, "compare a domain's verifier with labelled fragments, into its README")
    one.add_argument("domain", help="a folder with domain.yaml, audit.jsonl and README.md")
    one.add_argument("--data", help="the solutions that were labelled, where audit.jsonl does not hold them")
    flags.judging(one)

    one = verb("choose", _choose, "multiple choice: which of the given answers a model finds likeliest")
    one.add_argument("file", help="a CSV file")
    one.add_argument("--form", required=True, choices=["truthfulqa", "gpqa"], help="TruthfulQA.csv, or GPQA's columns")
    one.add_argument("--model", required=True)
    one.add_argument("--output", required=True, help="a folder")
    one.add_argument(
        "--thresholds", type=flags.threshold, nargs="+", default=[0.5], help="τ of the utilities; %(default)s"
    )


def _evaluate(args: argparse.Namespace) -> None:
    from rlhalt.domains import load_domain
    from rlhalt.evaluation.run import Policy, evaluate
    from rlhalt.records import Prompt, read
    from rlhalt.sampling import default_engine

    if args.threshold_in_prompt and args.threshold is None:
        raise InputError("expected --threshold with it, found none", field="--threshold-in-prompt")
    flags.separate([args.prompts], [args.judge_cache])
    domain = load_domain(flags.domain_of(args.domain, args.prompts))
    prompts = flags.some([one for one in read(args.prompts, Prompt) if one.split == "heldout"], args.prompts)
    template_args = dict(args.template_arg)
    # The base model continues what others ended: it is shown the form of an answer where the domain has examples.
    shown = flags.examples(prompts, args.domain) if args.base and domain.has_examples else ()
    with flags.judge(args).client() as client:
        evaluate(
            Policy(
                args.name,
                args.model,
                args.threshold,
                args.seed,
                flags.few_shot(args, prompts),
                args.threshold_in_prompt,
                template_args,
            ),
            prompts,
            domain.scorer(client, unsafe=args.unsafe),
            args.output,
            base=Policy("base", args.base, few_shot=shown, template_args=template_args) if args.base else None,
            samples=args.samples,
            temperature=args.temperature,
            engine=args.engine or default_engine(),
            max_tokens=args.max_tokens,
        )


def _certainty(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.certainty import check, measure

    check(args.evaluations, args.by, args.nli)
    for folder in args.evaluations:
        for by in args.by:
            print(measure(folder, by, args.nli))


def _general(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.general import check, measure

    check(args.evaluations, args.text)
    for folder in args.evaluations:
        print(measure(folder, args.text, args.engine or "transformers"))


def _compare(args: argparse.Namespace) -> None:
    from rlhalt.pipeline import report

    flags.separate(args.evaluations, [args.output])
    report([Path(one) for one in args.evaluations], Path(args.output))


def _audit(args: argparse.Namespace) -> None:
    from rlhalt.audit import audit, check_readme, write_table
    from rlhalt.domains import load_domain

    folder = Path(args.domain)
    domain = load_domain(folder)
    check_readme(folder / "README.md")
    with flags.judge(args).client() as client:
        found = audit(folder, domain.scorer(client, unsafe=args.unsafe), args.data)
    write_table(folder / "README.md", found.table)
    print(found.told)
    for missed in found.misses(domain.promised_agreement, domain.promised_decided):
        print(f"not kept: {missed}", file=sys.stderr)


def _choose(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.multiple_choice import choose

    for name, one in choose(args.file, args.form, args.model, args.output, args.thresholds).items():
        shown = ["not defined" if one[key] is None else f"{one[key]:.3f}" for key in ("value", "low", "high")]
        print(f"{name:<14} {shown[0]}   95 %: {shown[1]} to {shown[2]}")
