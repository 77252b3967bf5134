"""The verbs from prompts to pairs: prompts, sample, score, annotated, pairs, decisions."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rlhalt.cli import flags
from rlhalt.errors import InputError

if TYPE_CHECKING:
    from rlhalt.score_file import Spread
    from rlhalt.scoring import Scorer

Verb = Callable[..., argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Declare the verbs."""
    one = verb(
        "prompts",
        _prompts,
        "write a domain's prompts with their references",
        "rlhalt prompts --domain countries --output prompts.jsonl",
        "rlhalt prompts --domain maths --file hub://openai/gsm8k/main/train --split train --output gsm8k.jsonl",
    )
    one.add_argument("--domain", required=True, help="a name that `rlhalt list domains` shows, or a folder")
    one.add_argument("--file", help="GSM8K's train.jsonl, hub://openai/gsm8k/main/train, or your own rows")
    one.add_argument("--split", choices=("train", "heldout", "all"), default="all", help="which prompts")
    one.add_argument(
        "--ask-wrongly",
        action="store_true",
        help="ask for a wrong answer that sounds right: the rejected sides of `pairs --preferences grath`",
    )
    one.add_argument("--output", required=True, help="JSON lines of prompts")

    one = verb(
        "sample",
        _sample,
        "sample responses from a model",
        "rlhalt sample --model smollm2-135m-instruct --prompts prompts.jsonl --few-shot --output responses.jsonl",
        "rlhalt sample --engine openai --address http://host:8000/v1 --model NAME --prompts prompts.jsonl "
        "--output responses.jsonl",
    )
    flags.sampling(one)
    flags.domain(one, "gives the examples of --few-shot: a name, or a folder with domain.yaml")
    one.add_argument(
        "--engine",
        choices=(*flags.ENGINES, "openai", "ray"),
        help="openai: a served model; ray: the workers of a cluster (default: vllm where installed, else transformers)",
    )
    one.add_argument(
        "--sampler",
        choices=flags.ENGINES,
        help="the engine of each worker with --engine ray (default: vllm where installed here, else transformers)",
    )
    flags.spreading(one)
    one.add_argument("--responses", type=flags.count, default=4, help="responses per prompt")
    one.add_argument("--temperature", type=flags.at_least_0, default=0.7, help="0 is greedy")
    one.add_argument("--batch-size", type=flags.count, default=32, help="prompts sampled together; vLLM takes hundreds")
    flags.serving(one)
    one.add_argument("--output", required=True, help="JSON lines of responses; sampling resumes from it")

    one = verb(
        "score",
        _score,
        "split responses into fragments and judge each",
        "rlhalt score --responses responses.jsonl --output scored.jsonl",
        "rlhalt score --responses responses.jsonl --domain medicine --judge-address http://host:8000/v1 "
        "--judge-model NAME --dry-run --output scored.jsonl",
    )
    one.add_argument("--responses", required=True, help="JSON lines that `sample` wrote")
    flags.domain(one)
    one.add_argument("--engine", choices=("ray",), help="ray: in the workers of a cluster (default: here)")
    flags.spreading(one)
    one.add_argument("--dry-run", action="store_true", help="print what the judge would cost, and ask nothing")
    flags.judging(one)
    one.add_argument("--output", required=True, help="JSON lines of scored responses; scoring resumes from it")

    one = verb(
        "annotated",
        _annotated,
        "read FActScore's biographies, labelled by people, as scored responses",
        "rlhalt annotated ChatGPT.jsonl InstructGPT.jsonl --output scored.jsonl",
        "rlhalt annotated ChatGPT.jsonl --granularity facts --split train --output scored.jsonl",
    )
    one.add_argument("files", nargs="+", help="ChatGPT.jsonl, InstructGPT.jsonl: one per model")
    one.add_argument("--granularity", choices=("sentences", "facts"), default="sentences", help="of the fragments")
    one.add_argument(
        "--split", choices=("train", "heldout", "all"), default="all", help="which people; pairs are made of train"
    )
    one.add_argument("--output", required=True, help="JSON lines of scored responses")

    one = verb(
        "pairs",
        _pairs,
        "make preference pairs at the threshold τ, and supervised targets",
        "rlhalt pairs --scored scored.jsonl --threshold 0.5 --output pairs.jsonl --targets targets.jsonl",
        "rlhalt pairs --scored scored.jsonl --style unsure --draws 5000 --output pairs_for_trl.jsonl",
    )
    one.add_argument("--scored", required=True, help="JSON lines that `score` wrote")
    flags.domain(one, "gives style and τ where they are not given")
    one.add_argument(
        "--style",
        help="remove, unsure, truncate, keep, reflect or flip; see docs/pairs.md (default: what fits the domain)",
    )
    one.add_argument(
        "--threshold", metavar="τ", type=flags.threshold, help="the correctness threshold (default: the domain's)"
    )
    one.add_argument("--targets", help="write supervised targets here too: the better sides, or those of --method")
    one.add_argument(
        "--best", type=flags.share, default=0.5, help="share of each prompt's responses that become targets"
    )
    one.add_argument(
        "--method",
        help="halt, r-tuning, semantic-entropy, craft, s3ft, ...; see docs/methods.md (default: the better sides)",
    )
    one.add_argument(
        "--preferences",
        metavar="METHOD",
        help="write the pairs of another method: rlkf, own-pairs, f-dpo, ...; see docs/methods.md (default: the "
        "style's pairs)",
    )
    one.add_argument(
        "--others",
        metavar="FILE",
        help="scored responses of a second model to the same prompts, for grath, other-chosen, temporal and craft",
    )
    one.add_argument("--percentile", type=flags.share, default=0.6, help="of halt, idk and random-trim: α")
    one.add_argument(
        "--reading", choices=("ascending", "descending"), default="ascending", help="order that the percentile is of"
    )
    one.add_argument("--seed", type=flags.seed, default=0, help="of random-trim and --draws")
    one.add_argument(
        "--draws",
        metavar="N",
        type=flags.count,
        help="write N pairs drawn by weight, for trainers that do not read weights, as trl dpo (default: each pair "
        "once, with its weight)",
    )
    one.add_argument("--output", required=True, help="JSON lines of pairs")

    one = verb(
        "decisions",
        _decisions,
        "make decisions at the threshold τ, for train decisions",
        "rlhalt decisions --scored scored.jsonl --threshold 0.5 --output decisions.jsonl",
        "rlhalt decisions --scored scored.jsonl --threshold-in-prompt 0.3 0.5 0.8 --output decisions.jsonl",
    )
    one.add_argument("--scored", required=True, help="JSON lines that `score` wrote")
    flags.domain(one, "gives style and τ where they are not given")
    one.add_argument("--style", help="remove, unsure or truncate (default: what fits the domain)")
    one.add_argument(
        "--threshold", metavar="τ", type=flags.threshold, help="the correctness threshold (default: the domain's)"
    )
    one.add_argument(
        "--threshold-in-prompt",
        type=flags.threshold,
        nargs="+",
        metavar="τ",
        help="draw τ per response from these, and write it into the prompt",
    )
    one.add_argument("--seed", type=flags.seed, default=0, help="of the draw of τ")
    one.add_argument("--output", required=True, help="JSON lines of decisions")

    one = verb(
        "distil",
        _distil,
        "cut a calibrated model's responses at many τ, as targets with τ in the prompt",
        "rlhalt distil --responses responses.jsonl --model sft --output targets.jsonl",
        "rlhalt distil --responses responses.jsonl --model sft --draws 12 --seed 1 --output targets.jsonl",
    )
    one.add_argument("--responses", required=True, help="JSON lines that `sample` wrote; they need no verdicts")
    one.add_argument("--model", required=True, help="what generated them, calibrated at their temperature")
    one.add_argument("--calibration", metavar="FILE", help="calibration/ in the model's folder if not given")
    flags.domain(one, "the domain that was calibrated")
    one.add_argument("--draws", type=flags.whole(1), default=6, help="thresholds for each response")
    one.add_argument("--seed", type=flags.seed, default=0, help="of the thresholds")
    one.add_argument("--output", required=True, help="JSON lines of targets")


def _prompts(args: argparse.Namespace) -> None:
    from rlhalt.domains import load_domain
    from rlhalt.domains.hub import local_file
    from rlhalt.files.provenance import once
    from rlhalt.records import content_key
    from rlhalt.training_data.preferences.grath import asked_wrongly

    domain = load_domain(args.domain)
    file = args.file and local_file(args.file)
    flags.separate([file], [args.output])
    chosen = domain.prompts(file, args.split)
    if not chosen:
        flags.of_split(domain.prompts(file, "all"), args.split, file or args.domain)
    if args.ask_wrongly:
        chosen = [asked_wrongly(one) for one in chosen]
    # Prompts that come with a domain have no file whose hash could say that they have changed.
    content = content_key([dataclasses.asdict(one) for one in chosen])
    config = {"domain": domain.domain, "split": args.split, "content": content}
    once("prompts", args.output, [file] if file else [], config, lambda: chosen)
    splits = Counter(one.split for one in chosen)
    print(f"{splits['train']} train, {splits['heldout']} held out")


def _sample(args: argparse.Namespace) -> None:
    from rlhalt.records import Prompt, read
    from rlhalt.sampling import Settings, default_engine, load_engine, sample

    if args.sampler and args.engine != "ray":
        raise InputError("only used with --engine ray; locally, set the sampler with --engine", field="--sampler")
    flags.separate([args.prompts], [args.output])
    engine = (args.sampler if args.engine == "ray" else args.engine) or default_engine()
    engine_args = flags.engine_args(args, engine)
    if args.engine == "ray" and args.tensor_parallel is not None:
        raise InputError("not used with --engine ray, where each worker has one GPU", field="--tensor-parallel")
    prompts = flags.some(list(read(args.prompts, Prompt)), args.prompts)
    settings = Settings(
        model=args.model,
        engine=engine,
        responses=args.responses,
        temperature=args.temperature,
        max_tokens=args.max_tokens,
        seed=args.seed,
        few_shot=flags.few_shot(args, prompts),
        template_args=dict(args.template_arg),
        # Responses of a server do not depend on each other: each is a batch.
        batch_size=1 if engine == "openai" else args.batch_size,
        engine_args=engine_args["vllm"],
    )
    load = functools.partial(load_engine, **engine_args["openai"])
    sample(prompts, settings, args.output, load, flags.cluster(args, gpu=True))


def _score(args: argparse.Namespace) -> None:
    from rlhalt.domains import load_domain
    from rlhalt.records import Response, Rows
    from rlhalt.score_file import estimate, score_file

    flags.separate([args.responses], [args.output, args.judge_cache])
    responses = Rows(Path(args.responses), Response)
    domain = flags.domain_of(args.domain, args.responses)
    with flags.judge(args).client() as client:
        scorer = load_domain(domain).scorer(client, unsafe=args.unsafe)
        if args.dry_run:
            print(f"about {estimate(responses, scorer, args.output)}" if client else "asks no model")
        else:
            print(score_file(responses, scorer, args.output, _spread(args, domain, scorer)))


def _spread(args: argparse.Namespace, domain: str, scorer: Scorer) -> Spread | None:
    cluster = flags.cluster(args)
    if cluster is None:
        return None
    from rlhalt.domains import scorer_elsewhere
    from rlhalt.llm import Client
    from rlhalt.score_file import Spread

    asks = None
    if scorer.client is not None:
        cache = Path(args.judge_cache).absolute() if args.judge_cache else None
        asks = functools.partial(
            Client, scorer.client.server, scorer.client.limits.shared(cluster.workers), cache=cache
        )
    return Spread(cluster, scorer_elsewhere(domain, asks, unsafe=args.unsafe))


def _annotated(args: argparse.Namespace) -> None:
    from rlhalt.domains import load_domain
    from rlhalt.domains.biography import DOMAIN
    from rlhalt.domains.biography.factscore import write_scored

    flags.separate(args.files, [args.output])
    found = write_scored(args.files, args.output, args.granularity, args.split, load_domain(DOMAIN).halting_phrase)
    print(f"{len(found.rows)} responses; {len(found.unplaced)} labelled passages are not in their response")


def _distil(args: argparse.Namespace) -> None:
    from rlhalt.cut.distil import write_distilled
    from rlhalt.records import Rows, Target

    flags.separate([args.responses], [args.output])
    write_distilled(
        args.responses, args.model, args.output, draws=args.draws, calibration=args.calibration, domain=args.domain,
        seed=args.seed,
    )  # fmt: skip
    found = list(Rows(Path(args.output), Target))
    print(f"{len(found)} targets of {len({one.source for one in found})} responses, each with its τ in the prompt")


def _pairs(args: argparse.Namespace) -> None:
    from rlhalt.domains import read_domain
    from rlhalt.files.text import check_name
    from rlhalt.records import Pair, Target, content_key, read
    from rlhalt.training_data import (
        Method,
        Preference,
        default_style,
        write_pairs,
        write_preferences,
        write_supervised,
        write_targets,
    )
    from rlhalt.training_data.preferences.methods import PREFERENCES
    from rlhalt.training_data.statistics import summary
    from rlhalt.training_data.targets.methods import METHODS

    if args.method is not None and args.targets is None:
        raise InputError("expected --targets with it: the file that the method's targets go to", field="--method")
    flags.separate([args.scored, args.others], [args.output, args.targets])
    if args.targets is not None:
        check_name(args.targets)
    domain = read_domain(flags.domain_of(args.domain, args.scored))
    style = default_style(domain.halting) if args.style is None else args.style
    threshold = domain.threshold if args.threshold is None else args.threshold
    # Named before anything is written: a misspelt method writes no pairs.
    method = (
        Method(args.method, style, args.percentile, args.reading, threshold, args.seed)
        if args.method is not None
        else None
    )
    preference = Preference(args.preferences, style, threshold) if args.preferences is not None else None
    for_targets = args.others if method and METHODS[method.name].others != "none" else None
    for_pairs = args.others if preference and PREFERENCES[preference.name].others != "none" else None
    if args.others and not (for_targets or for_pairs):
        raise InputError("expected a --method or --preferences that reads it, found none", field="--others")
    phrase = domain.halting_phrase
    if preference:
        write_preferences(args.scored, args.output, preference, args.draws, args.seed, phrase, for_pairs)
    else:
        write_pairs(args.scored, args.output, threshold, style, args.draws, args.seed, phrase)
    print(summary(read(args.output, Pair), decisions=preference is None))
    if method:
        write_supervised(args.scored, args.targets, method, phrase, for_targets)
    elif args.targets is not None:
        write_targets(args.scored, args.targets, style, args.best, phrase)
    if args.targets is not None:
        made = list(read(args.targets, Target))
        print(f"{len(made)} targets for {len({content_key(one.prompt) for one in made})} prompts")


def _decisions(args: argparse.Namespace) -> None:
    from rlhalt.domains import read_domain
    from rlhalt.records import Decision, read
    from rlhalt.training_data import default_style, write_conditioned_decisions, write_decisions

    flags.separate([args.scored], [args.output])
    domain = read_domain(flags.domain_of(args.domain, args.scored))
    style = default_style(domain.halting) if args.style is None else args.style
    threshold = domain.threshold if args.threshold is None else args.threshold
    phrase = domain.halting_phrase
    if args.threshold_in_prompt:
        write_conditioned_decisions(args.scored, args.output, args.threshold_in_prompt, style, args.seed, phrase)
    else:
        write_decisions(args.scored, args.output, threshold, style, phrase)
    found = list(read(args.output, Decision))
    responses, right = len({one.source for one in found}), sum(one.worth > 0 for one in found)
    at = f"{len(args.threshold_in_prompt)} thresholds" if args.threshold_in_prompt else f"τ = {threshold:g}"
    print(f"{len(found)} decisions of {responses} responses at {at} ({style}), {right} of them to speak")
