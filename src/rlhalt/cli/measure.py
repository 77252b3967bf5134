"""The verbs that measure: evaluate, calibrate, answer, certainty, general, compare, audit, choose."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rlhalt.cli import flags
from rlhalt.errors import InputError

if TYPE_CHECKING:
    from rlhalt.decoding.setup import Decoding

_ENGINE = "what generates (default: vllm where installed, else transformers)"
_ASKED = ("semantic-entropy", "self-evaluation", "self-evaluation-choices", "stated", "just-ask")
Verb = Callable[..., argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Declare the verbs that compare models."""
    one = verb(
        "evaluate",
        _evaluate,
        "sample a model on held-out prompts, score its responses and measure its confidence",
        "rlhalt evaluate --model smollm2-135m-instruct --name base --few-shot --prompts prompts.jsonl "
        "--output evaluation/base",
        "rlhalt evaluate --model models/dpo --name DPO --base smollm2-135m-instruct --prompts prompts.jsonl "
        "--output evaluation/dpo",
    )
    flags.sampling(one)
    one.add_argument("--engine", type=flags.engine_here, choices=flags.ENGINES, help=_ENGINE)
    one.add_argument("--name", required=True, type=flags.text, help="how it is shown: base, SFT, DPO, ...")
    one.add_argument(
        "--role",
        choices=("base", "supervised", "trained"),
        help="what it is in a comparison (default: taken from the model's training)",
    )
    one.add_argument(
        "--threshold",
        metavar="τ",
        type=flags.threshold,
        help="the τ it was trained at, or is asked at with --threshold-in-prompt (default: the model's own)",
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
    one.add_argument(
        "--cut",
        action="store_true",
        help="leave out what is right with a probability below --threshold, by the model's calibration",
    )
    one.add_argument("--calibration", metavar="FILE", help="with --cut (default: calibration/ in the model's folder)")
    _decoding(one)
    flags.domain(one)
    flags.judging(one)
    one.add_argument("--output", required=True, help="a folder; the evaluation resumes from it")

    one = verb(
        "certainty",
        _certainty,
        "add confidences to evaluation folders that cost a pass each: CCP, P(true), stated, of a reward model, …",
        "rlhalt certainty evaluation/base evaluation/dpo --by stated",
        "rlhalt certainty evaluation/base --by ccp stated --nli models/nli",
    )
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote")
    one.add_argument(
        "--by",
        nargs="+",
        required=True,
        choices=("ccp", *_ASKED, "reward"),
        help="see docs/uncertainty.md",
    )
    _reward_model(one)
    one.add_argument("--nli", help="a folder or hub name of an NLI classifier for ccp (default: words are compared)")

    one = verb(
        "general",
        _general,
        "measure what models do outside of their domain: bits per byte of a text, and short instructions",
        "rlhalt general evaluation/base evaluation/dpo --text book.txt",
        "rlhalt general evaluation/*",
    )
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote")
    one.add_argument("--text", help="a UTF-8 file that no model was trained on, for bits per byte")
    one.add_argument(
        "--engine", type=flags.engine_here, choices=flags.ENGINES, help="what generates (default: transformers)"
    )

    one = verb(
        "compare",
        _compare,
        "compare evaluations: table, metrics.json, metrics.csv, report.html",
        "rlhalt compare evaluation/base evaluation/dpo --output report",
        "rlhalt compare evaluation/* --output report",
    )
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote, one of them named base")
    one.add_argument(
        "--cut-by",
        choices=("token_probability", "reward"),
        default="token_probability",
        help="what each model + cut is cut by; reward: what `certainty --by reward` measured",
    )
    one.add_argument("--output", required=True, help="a folder")

    one = verb(
        "audit",
        _audit,
        "measure how often a domain's verifier agrees with labelled fragments, into its README",
        "rlhalt audit reward/countries",
        "rlhalt audit reward/maths --data gsm8k/test.jsonl",
    )
    one.add_argument("domain", help="a folder with domain.yaml, audit.jsonl and README.md")
    one.add_argument("--data", help="the solutions that were labelled, where audit.jsonl does not hold them")
    flags.judging(one)

    one = verb(
        "choose",
        _choose,
        "multiple choice: which of the given answers a model finds likeliest",
        "rlhalt choose TruthfulQA.csv --form truthfulqa --model smollm2-135m-instruct --output choices",
        "rlhalt choose gpqa_main.csv --form gpqa --model models/dpo --thresholds 0.3 0.5 0.8 --output choices",
    )
    one.add_argument("file", help="a CSV file")
    one.add_argument("--form", required=True, choices=["truthfulqa", "gpqa"], help="TruthfulQA.csv, or GPQA's columns")
    one.add_argument("--model", required=True, help="smollm2-135m-instruct, a model or adapter folder, a hub name")
    one.add_argument("--output", required=True, help="a folder")
    one.add_argument(
        "--thresholds", metavar="τ", type=flags.threshold, nargs="+", default=[0.5], help="of the utilities"
    )


def _decoding(one: argparse.ArgumentParser) -> None:
    from rlhalt.decoding.setup import NAMES

    group = one.add_argument_group("decoding, with the engine transformers (docs/methods.md)")
    group.add_argument(
        "--decode", choices=NAMES, help="how tokens or responses are chosen (default: as the model says)"
    )
    group.add_argument("--decode-samples", metavar="N", type=flags.whole(2), help="drawn per response (default: 8)")
    group.add_argument("--decode-against", metavar="MODEL", help="with icd: the model that was tuned to be wrong")
    group.add_argument("--decode-scored", metavar="FILE", help="with iti: scored responses to training prompts")
    group.add_argument("--reward-model", metavar="FOLDER", help="with best-of-n, qalign: what `train reward` wrote")


def _decoded(args: argparse.Namespace) -> Decoding | None:
    """The decoding that the flags name."""
    from rlhalt.decoding.methods import READS
    from rlhalt.decoding.setup import Decoding

    given = {
        "samples": args.decode_samples,
        "against": args.decode_against,
        "reward_model": args.reward_model,
        "scored": args.decode_scored,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if args.decode is None:
        if given:
            raise InputError(f"expected one with {', '.join(map(str, given.values()))}, found none", field="--decode")
        return None
    if "samples" in given and "samples" not in READS[args.decode]:
        raise InputError(f"expected none with --decode {args.decode}, which draws none", field="--decode-samples")
    return Decoding(args.decode, **given)


def _reward_model(one: argparse.ArgumentParser) -> None:
    one.add_argument("--reward-model", metavar="FOLDER", help="with --by reward: what `train reward` wrote")


def add_cut(verb: Verb) -> None:
    """Declare the verbs of a cut by calibrated probabilities."""
    one = verb(
        "calibrate",
        _calibrate,
        "fit the probability that a fragment is right, on labelled prompts",
        "rlhalt calibrate --model models/dpo --prompts prompts.jsonl",
        "rlhalt calibrate --model smollm2-135m-instruct --prompts prompts.jsonl --few-shot --by ccp --method isotonic "
        "--output calibration",
    )
    flags.sampling(one)
    one.add_argument("--engine", type=flags.engine_here, choices=flags.ENGINES, help=_ENGINE)
    one.add_argument("--split", choices=("heldout", "train", "all"), default="all", help="of the prompts")
    one.add_argument(
        "--temperatures",
        metavar="T",
        type=flags.at_least_0,
        nargs="+",
        default=[0.0],
        help="each is calibrated by itself",
    )
    one.add_argument("--responses", type=flags.count, default=2, help="per prompt, at a temperature above 0")
    one.add_argument(
        "--by",
        choices=("token_probability", "token_minimum", "ccp", "agreement", *_ASKED, "reward"),
        default="token_probability",
        help="the confidence",
    )
    _reward_model(one)
    one.add_argument("--method", choices=("platt", "isotonic"), default="platt", help="the map")
    flags.domain(one)
    flags.judging(one)
    one.add_argument("--output", help="a folder (default: calibration/ in the model's folder)")

    one = verb(
        "answer",
        _answer,
        "answer prompts, each fact with the probability that it is right, cut at τ",
        'rlhalt answer "State five facts about Kenya." --model models/dpo --threshold 0.5 0.8',
        "rlhalt answer --prompts prompts.jsonl --model models/dpo --output answers.jsonl",
    )
    one.add_argument("question", nargs="*", help="prompts; or --prompts")
    one.add_argument("--model", required=True, help="a model that was calibrated")
    one.add_argument("--prompts", help="JSON lines of prompts")
    one.add_argument("--threshold", metavar="τ", type=flags.threshold, nargs="+", default=[0.5], help="one or several")
    one.add_argument("--calibration", metavar="FILE", help="(default: calibration/ in the model's folder)")
    one.add_argument("--temperature", type=flags.at_least_0, default=0.0, help="of the response")
    one.add_argument("--seed", type=flags.seed, default=0, help="of the draws")
    one.add_argument(
        "--engine", type=flags.engine_here, choices=flags.ENGINES, help="what generates (default: transformers)"
    )
    flags.domain(one, "the domain that was calibrated, where it is a folder", "the calibration's, by its name")
    one.add_argument("--output", help="JSON lines (default: the terminal)")


def _evaluate(args: argparse.Namespace) -> None:
    from rlhalt.cut.calibration import calibration_file
    from rlhalt.domains import load_domain
    from rlhalt.evaluation.run import Policy, evaluate
    from rlhalt.records import Prompt, read
    from rlhalt.sampling import default_engine

    if args.calibration and not args.cut:
        raise InputError("only used with --cut", field="--calibration")
    if args.threshold_in_prompt and args.threshold is None:
        raise InputError("expected --threshold with it, found none", field="--threshold-in-prompt")
    decoding = _decoded(args)
    flags.separate([args.prompts], [args.judge_cache])
    domain = load_domain(flags.domain_of(args.domain, args.prompts))
    prompts = flags.of_split(list(read(args.prompts, Prompt)), "heldout", args.prompts)
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
                args.role,
            ),
            prompts,
            domain.scorer(client, unsafe=args.unsafe),
            args.output,
            base=Policy("base", args.base, few_shot=shown, template_args=template_args) if args.base else None,
            samples=args.samples,
            temperature=args.temperature,
            engine=args.engine or ("transformers" if decoding else default_engine()),
            max_tokens=args.max_tokens,
            calibration=calibration_file(args.model, args.calibration) if args.cut else None,
            decoding=decoding,
        )


def _calibrate(args: argparse.Namespace) -> None:
    from rlhalt.cut.calibrate import calibrate
    from rlhalt.cut.calibration import FOLDER, read
    from rlhalt.cut.show import table
    from rlhalt.domains import load_domain
    from rlhalt.records import Prompt
    from rlhalt.records import read as read_rows
    from rlhalt.sampling import Settings, default_engine

    output = args.output or Path(args.model) / FOLDER
    if not args.output and not Path(args.model).is_dir():
        raise InputError("expected a folder to write to, because the model is no folder", field="--output")
    flags.separate([args.prompts], [args.judge_cache])
    domain = load_domain(flags.domain_of(args.domain, args.prompts))
    prompts = flags.of_split(list(read_rows(args.prompts, Prompt)), args.split, args.prompts)
    settings = Settings(
        args.model,
        args.engine or default_engine(),
        responses=args.responses,
        max_tokens=args.max_tokens,
        seed=args.seed,
        few_shot=flags.few_shot(args, prompts),
        template_args=dict(args.template_arg),
    )
    with flags.judge(args).client() as client:
        scorer = domain.scorer(client, unsafe=args.unsafe)
        file = calibrate(
            settings, prompts, scorer, output, temperatures=args.temperatures, by=args.by, method=args.method,
            reward_model=args.reward_model or "",
        )  # fmt: skip
    print(table(read(file)))
    print(file)


def _answer(args: argparse.Namespace) -> None:
    from rlhalt.cut.answer import answer, shown
    from rlhalt.records import Prompt, read, user, write_atomic

    if bool(args.question) == bool(args.prompts):
        raise InputError("expected prompts, or --prompts with a file of them, one of the two", field="--prompts")
    flags.separate([args.prompts], [args.output])
    asked = [user(one) for one in args.question] or [one.prompt for one in read(args.prompts, Prompt)]
    found = answer(
        args.model, asked, calibration=args.calibration, domain=args.domain, temperature=args.temperature,
        seed=args.seed, engine=args.engine or "transformers", thresholds=args.threshold,
    )  # fmt: skip
    if args.output:
        write_atomic(Path(args.output), [json.dumps(one, ensure_ascii=False) + "\n" for one in found])
    else:
        shown(found, args.threshold)


def _certainty(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.certainty import check, measure

    check(args.evaluations, args.by, args.nli, args.reward_model)
    for folder in args.evaluations:
        for by in args.by:
            print(measure(folder, by, args.nli, args.reward_model))


def _general(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.general import check, measure

    check(args.evaluations, args.text)
    for folder in args.evaluations:
        print(measure(folder, args.text, args.engine or "transformers"))


def _compare(args: argparse.Namespace) -> None:
    from rlhalt.recipes.comparing import report

    flags.separate(args.evaluations, [args.output])
    report([Path(one) for one in args.evaluations], Path(args.output), args.cut_by)


def _audit(args: argparse.Namespace) -> None:
    from rlhalt.audit import audit, check_readme, write_table
    from rlhalt.domains import load_domain

    folder = Path(args.domain)
    domain = load_domain(folder)
    check_readme(folder / "README.md")
    with flags.judge(args).client() as client:
        scorer = domain.scorer(client, unsafe=args.unsafe)
        prompts = (domain.own_prompts() or ()) if domain.verifier == "model" else ()
        found = audit(folder, scorer, args.data, prompts)
    write_table(folder / "README.md", found.table)
    print(found.told)
    for missed in found.misses(domain.promised_agreement, domain.promised_decided):
        print(f"not kept: {missed}", file=sys.stderr)


def _choose(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.multiple_choice import choose

    for name, one in choose(args.file, args.form, args.model, args.output, args.thresholds).items():
        shown = ["not defined" if one[key] is None else f"{one[key]:.3f}" for key in ("value", "low", "high")]
        print(f"{name:<14} {shown[0]}   95 %: {shown[1]} to {shown[2]}")
