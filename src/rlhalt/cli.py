"""The command line: verbs to functions, no logic. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rlhalt
from rlhalt.errors import InputError, RlhaltError
from rlhalt.tasks import TASKS

if TYPE_CHECKING:
    from rlhalt.cluster import Cluster
    from rlhalt.llm import Client
    from rlhalt.scoring import Scorer, Spread


_KINDS = ("sft", "dpo", "decisions", "grpo")
_ENGINES = ("transformers", "vllm")


def guarded(work: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Run, and turn what a user can mend into one line on standard error and an exit code (2 input, 3 failures)."""
    try:
        work(argv)
    except RlhaltError as error:
        print(f"rlhalt: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        # A full disk, a missing permission: the user's to mend. What was half written has been removed.
        where = f"{error.filename}: " if error.filename else ""
        print(f"rlhalt: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rlhalt: stopped; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `rlhalt`."""
    return guarded(_dispatch, sys.argv[1:] if argv is None else argv)


def _dispatch(argv: Sequence[str]) -> None:
    # The trainers' keys are TRL's: they are parsed there, strictly, not here.
    if argv[:1] == ["train"] and len(argv) > 1 and argv[1] in _KINDS and "-h" not in argv:
        _train(argv[1], argv[2:])
        return
    parser = _parser()
    args, keys = parser.parse_known_args(argv)
    if keys and args.run is not _doctor:
        parser.error(f"unrecognized arguments: {' '.join(keys)}")
    args.keys = keys
    args.run(args)


def _train(kind: str, argv: Sequence[str]) -> None:
    if kind == "sft":
        from rlhalt.training.sft import main as train
    elif kind == "dpo":
        from rlhalt.training.dpo import main as train
    elif kind == "decisions":
        from rlhalt.training.decide import main as train
    else:
        from rlhalt.training.grpo import main as train
    train(argv)


def _prompts(args: argparse.Namespace) -> None:
    from rlhalt.runs import once
    from rlhalt.tasks import load

    inputs = [args.file] if args.file else []
    chosen = load(args.task, args.file, args.split, args.domain)
    once("prompts", args.output, inputs, {"task": args.task, "split": args.split}, lambda: chosen)


def _sample(args: argparse.Namespace) -> None:
    from rlhalt.records import Prompt, read
    from rlhalt.sampling import Settings, default_engine, sample

    if args.sampler and args.engine != "ray":
        raise InputError("expected --engine ray with it: here --engine says what samples", field="--sampler")
    prompts = _some(list(read(args.prompts, Prompt)), args.prompts)
    sampler = args.sampler if args.engine == "ray" else args.engine
    settings = Settings(
        model=args.model,
        engine=sampler or default_engine(),
        responses=args.responses,
        temperature=args.temperature,
        max_tokens=args.max_tokens,
        seed=args.seed,
        few_shot=_few_shot(args.few_shot, prompts),
        batch_size=args.batch_size,
    )
    sample(prompts, settings, args.output, cluster=_cluster(args, gpu=True))


def _cluster(args: argparse.Namespace, *, gpu: bool = False) -> Cluster | None:
    """Where the work is to be done, if not here."""
    if args.engine == "ray":
        from rlhalt.cluster import join

        return join(args.workers, gpu=gpu)
    if args.workers is not None:
        raise InputError("expected --engine ray with it: here there are no workers", field="--workers")
    return None


def _few_shot(wanted: bool, prompts: Sequence[Any]) -> tuple[Any, ...]:
    from rlhalt.tasks.examples import few_shot

    return few_shot(prompts) if wanted else ()


def _some(rows: list[Any], path: str) -> list[Any]:
    if not rows:
        raise InputError("expected at least one row, found none", path=path)
    return rows


def _score(args: argparse.Namespace) -> None:
    from rlhalt.records import Response, Rows
    from rlhalt.reward import load_specification
    from rlhalt.scoring import estimate, score_file

    responses = Rows(Path(args.responses), Response)
    with _client(args) as client:
        scorer = load_specification(args.reward).scorer(client, unsafe=args.unsafe)
        if args.dry_run:
            print(f"about {estimate(responses, scorer, args.output)}" if client else "asks no model")
        else:
            score_file(responses, scorer, args.output, _spread(args, scorer))


def _spread(args: argparse.Namespace, scorer: Scorer) -> Spread | None:
    cluster = _cluster(args)
    if cluster is None:
        return None
    from rlhalt.llm import Client
    from rlhalt.reward import scorer_elsewhere
    from rlhalt.scoring import Spread

    asks = None
    if scorer.client is not None:
        cache = Path(args.judge_cache).absolute() if args.judge_cache else None
        asks = functools.partial(
            Client, scorer.client.server, scorer.client.limits.shared(cluster.workers), cache=cache
        )
    return Spread(cluster, scorer_elsewhere(args.reward, asks, unsafe=args.unsafe))


@contextlib.contextmanager
def _client(args: argparse.Namespace) -> Iterator[Client | None]:
    """What asks the judge, where one is given."""
    if not args.judge_address:
        yield None
        return
    if not args.judge_model:
        raise InputError("expected the judge's name with its address, found none", field="--judge-model")
    from rlhalt.llm import Budget, Client, Limits, Server

    prices = tuple(args.judge_prices) if args.judge_prices else None
    client = Client(
        Server(args.judge_address, args.judge_model, args.judge_key, prices),
        Limits(concurrency=args.judge_concurrency, requests_per_minute=args.judge_rate, timeout=args.judge_timeout),
        Budget(args.budget_calls, args.budget_tokens, args.budget_money),
        args.judge_cache,
    )
    with client:
        yield client
        if client.usage.calls or client.usage.cached:
            print(f"judge: {client.usage}", file=sys.stderr)


def _annotated(args: argparse.Namespace) -> None:
    from rlhalt.tasks.factscore import write_scored

    found = write_scored(args.files, args.output, args.granularity, args.split)
    print(f"{len(found.rows)} responses; {len(found.unplaced)} labelled passages are not in their response")


def _pairs(args: argparse.Namespace) -> None:
    from rlhalt.pairs import Method, default_style, write_pairs, write_supervised, write_targets
    from rlhalt.pairs.shares import summary
    from rlhalt.records import Pair, read
    from rlhalt.reward import load_specification

    specification = load_specification(args.reward)
    style = args.style or default_style(specification.halting)
    threshold = specification.threshold if args.threshold is None else args.threshold
    write_pairs(args.scored, args.output, threshold, style)
    print(summary(read(args.output, Pair)))
    if args.targets and args.method:
        method = Method(args.method, style, args.percentile, args.reading, threshold, args.seed)
        write_supervised(args.scored, args.targets, method)
    elif args.targets:
        write_targets(args.scored, args.targets, style, args.best)


def _decisions(args: argparse.Namespace) -> None:
    from rlhalt.pairs import default_style, write_decisions, write_dialled
    from rlhalt.records import Decision, read
    from rlhalt.reward import load_specification

    specification = load_specification(args.reward)
    style = args.style or default_style(specification.halting)
    threshold = specification.threshold if args.threshold is None else args.threshold
    if args.dial:
        write_dialled(args.scored, args.output, args.dial, style, args.seed)
    else:
        write_decisions(args.scored, args.output, threshold, style)
    found = list(read(args.output, Decision))
    responses, right = len({one.source for one in found}), sum(one.worth > 0 for one in found)
    at = f"{len(args.dial)} thresholds" if args.dial else f"τ = {threshold:g}"
    print(f"{len(found)} decisions of {responses} responses at {at} ({style}), {right} of them to speak")


def _evaluate(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.run import Policy, evaluate
    from rlhalt.records import Prompt, read
    from rlhalt.reward import load_specification
    from rlhalt.sampling import default_engine
    from rlhalt.tasks.examples import has_examples

    prompts = _some([one for one in read(args.prompts, Prompt) if one.split == "heldout"], args.prompts)
    # The base model goes on where others have ended: shown the form of an answer where its domain has examples.
    shown = _few_shot(bool(args.base) and has_examples(prompts[0].domain), prompts)
    with _client(args) as client:
        evaluate(
            Policy(args.name, args.model, args.threshold, args.seed, _few_shot(args.few_shot, prompts), args.dial),
            prompts,
            load_specification(args.reward).scorer(client, unsafe=args.unsafe),
            args.output,
            base=Policy("base", args.base, few_shot=shown) if args.base else None,
            samples=args.samples,
            temperature=args.temperature,
            engine=args.engine or default_engine(),
        )


def _certainty(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.certainty import measure

    for folder in args.evaluations:
        for by in args.by:
            print(measure(folder, by, args.nli))


def _general(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.general import measure

    for folder in args.evaluations:
        print(measure(folder, args.text, args.engine or "transformers"))


def _compare(args: argparse.Namespace) -> None:
    from rlhalt.recipe import report

    report([Path(one) for one in args.evaluations], Path(args.output))


def _audit(args: argparse.Namespace) -> None:
    from rlhalt.audit import audit, write_table
    from rlhalt.reward import load_specification

    folder = Path(args.reward)
    specification = load_specification(folder)
    with _client(args) as client:
        found = audit(folder, specification.scorer(client, unsafe=args.unsafe), args.data)
    write_table(folder / "README.md", found.table)
    print(found.told)
    for missed in found.misses(specification.promised_agreement, specification.promised_decided):
        print(f"not kept: {missed}", file=sys.stderr)


def _choose(args: argparse.Namespace) -> None:
    from rlhalt.evaluation.multiple_choice import choose

    for name, one in choose(args.file, args.form, args.model, args.output, args.thresholds).items():
        shown = ["not defined" if one[key] is None else f"{one[key]:.3f}" for key in ("value", "low", "high")]
        print(f"{name:<14} {shown[0]}   95 %: {shown[1]} to {shown[2]}")


def _quickstart(args: argparse.Namespace) -> None:
    from rlhalt.recipe import load_recipe, run

    run(load_recipe(args.config), Path(args.output) if args.output else None)


def _doctor(args: argparse.Namespace) -> None:
    from rlhalt.doctor import examine, read_plan, shown
    from rlhalt.doctor.dry_run import dry_run

    plan = read_plan(args.kind, args.config, args.keys, args.accelerate)
    shown([*examine(plan), *([dry_run(plan)] if args.dry_run else [])])


def _rounds(args: argparse.Namespace) -> None:
    from rlhalt.recipe import load_recipe
    from rlhalt.rounds import run

    run(load_recipe(args.config), args.rounds, Path(args.output) if args.output else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rlhalt", description=rlhalt.__doc__)
    parser.add_argument("--version", action="version", version=rlhalt.__version__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text)
        one.set_defaults(run=run)
        return one

    def sampling(one: argparse.ArgumentParser) -> None:
        one.add_argument("--model", required=True, help="smollm2-135m-instruct, gemma-3-270m, a folder, a hub name")
        one.add_argument("--prompts", required=True, help="JSON lines of prompts with references")
        one.add_argument("--few-shot", action="store_true", help="put the domain's examples before every prompt")
        one.add_argument("--seed", type=int, default=0)

    def spreading(one: argparse.ArgumentParser) -> None:
        one.add_argument("--workers", metavar="N", type=int, help="with ray: one for each GPU or CPU if not given")

    def judging(one: argparse.ArgumentParser) -> None:
        one.add_argument("--unsafe", action="store_true", help="run generated code although no sandbox works here")
        judge = one.add_argument_group("a language model as the judge (domains that need one)")
        judge.add_argument("--judge-address", metavar="URL", help="of an OpenAI-compatible server: http://host:8000/v1")
        judge.add_argument("--judge-model", metavar="NAME", help="as the server knows it")
        judge.add_argument("--judge-key", metavar="VARIABLE", default="OPENAI_API_KEY", help="holds the API key")
        judge.add_argument("--judge-prices", metavar=("IN", "OUT"), nargs=2, type=float, help="a million tokens")
        judge.add_argument("--judge-concurrency", metavar="N", type=int, default=16, help="calls under way at once")
        judge.add_argument("--judge-rate", metavar="N", type=float, help="calls a minute")
        judge.add_argument("--judge-timeout", metavar="S", type=float, default=60.0, help="seconds a call may take")
        judge.add_argument("--judge-cache", metavar="FILE", help="keeps replies; made where it is missing")
        judge.add_argument("--budget-calls", metavar="N", type=int, help="stops before more are made")
        judge.add_argument("--budget-tokens", metavar="N", type=int, help="read and written")
        judge.add_argument("--budget-money", metavar="X", type=float, help="in the unit of the prices")

    one = verb("prompts", _prompts, "write a task's prompts with their references")
    one.add_argument("--task", choices=TASKS, default="countries")
    one.add_argument("--file", help="where the task's own file lies; countries are built in")
    one.add_argument("--domain", help="of jsonl: the folder under reward/ that judges")
    one.add_argument("--split", choices=("train", "heldout", "all"), default="all")
    one.add_argument("--output", required=True)

    one = verb("sample", _sample, "draw responses from a policy")
    sampling(one)
    one.add_argument("--engine", choices=(*_ENGINES, "ray"), help="vllm where installed, else transformers; a cluster")
    one.add_argument("--sampler", choices=_ENGINES, help="what samples with ray; vllm where installed here")
    spreading(one)
    one.add_argument("--responses", type=int, default=4, help="responses a prompt")
    one.add_argument("--temperature", type=float, default=0.7)
    one.add_argument("--max-tokens", type=int, default=64)
    one.add_argument("--batch-size", type=int, default=64)
    one.add_argument("--output", required=True)

    one = verb("score", _score, "split responses into fragments and judge each")
    one.add_argument("--responses", required=True, help="JSON lines that `sample` wrote")
    one.add_argument("--reward", default="countries", help="a domain under reward/, or a folder with reward.yaml")
    one.add_argument("--engine", choices=("ray",), help="ray: in the workers of a cluster; here if not given")
    spreading(one)
    one.add_argument("--dry-run", action="store_true", help="say what the judge would cost, and ask nothing")
    judging(one)
    one.add_argument("--output", required=True)

    one = verb("annotated", _annotated, "FActScore's biographies, labelled by people, as scored responses")
    one.add_argument("files", nargs="+", help="ChatGPT.jsonl, InstructGPT.jsonl: one a model")
    one.add_argument("--granularity", choices=("sentences", "facts"), default="sentences")
    one.add_argument("--split", choices=("train", "heldout", "all"), default="all", help="pairs are made of train")
    one.add_argument("--output", required=True)

    one = verb("pairs", _pairs, "make preference pairs at the threshold τ, and supervised targets")
    one.add_argument("--scored", required=True, help="JSON lines that `score` wrote")
    one.add_argument("--reward", default="countries", help="gives style and τ where they are not given")
    one.add_argument("--style", help="remove, unsure, truncate, keep, reflect or flip; see docs/pairs.md")
    one.add_argument("--threshold", type=float, help="the correctness threshold τ")
    one.add_argument("--targets", help="write supervised targets here too: the better sides, or those of --method")
    one.add_argument("--best", type=float, default=0.5, help="share of each prompt's responses that become targets")
    one.add_argument("--method", help="halt, halt-odds, unit, idk, random-trim, absolute, ...; see docs/pairs.md")
    one.add_argument("--percentile", type=float, default=0.6, help="of halt, idk and random-trim: α")
    one.add_argument("--reading", choices=("ascending", "descending"), default="ascending", help="of the percentile")
    one.add_argument("--seed", type=int, default=0, help="of random-trim")
    one.add_argument("--output", required=True)

    one = verb("decisions", _decisions, "make decisions at the threshold τ, for train decisions")
    one.add_argument("--scored", required=True, help="JSON lines that `score` wrote")
    one.add_argument("--reward", default="countries", help="gives style and τ where they are not given")
    one.add_argument("--style", help="remove, unsure or truncate")
    one.add_argument("--threshold", type=float, help="the correctness threshold τ")
    one.add_argument(
        "--dial", type=float, nargs="+", metavar="τ", help="draw each response's τ from these and tell it in the prompt"
    )
    one.add_argument("--seed", type=int, default=0, help="of the draw")
    one.add_argument("--output", required=True)

    one = verb("train", lambda args: None, "train sft, dpo, decisions or grpo: keys as in TRL, --config FILE first")
    one.add_argument("kind", choices=_KINDS)

    one = verb("doctor", _doctor, "can this machine run a training configuration? versions, devices, memory, servers")
    one.add_argument("kind", choices=_KINDS)
    one.add_argument("--config", required=True, help="the configuration; keys as in TRL may stand beside it")
    one.add_argument("--accelerate", help="the file that accelerate launch starts it with, as configs/accelerate has")
    one.add_argument("--dry-run", action="store_true", help="two real steps with a 2-layer model of the same family")

    one = verb("evaluate", _evaluate, "held-out responses of a policy, scored, with its confidences")
    sampling(one)
    one.add_argument("--engine", choices=_ENGINES, help="vllm where installed, else transformers")
    one.add_argument("--name", required=True, help="base, SFT, DPO, ...: how it is shown")
    one.add_argument("--threshold", type=float, help="the τ it was trained at, or is asked at with --dial")
    one.add_argument("--dial", action="store_true", help="tell the threshold in each prompt; see decisions --dial")
    one.add_argument("--base", help="the pretrained model, asked how it would have gone on")
    one.add_argument("--temperature", type=float, default=0.7, help="of the sampled responses")
    one.add_argument("--samples", type=int, default=2, help="sampled responses a prompt, beside the greedy one")
    one.add_argument("--reward", default="countries")
    judging(one)
    one.add_argument("--output", required=True)

    one = verb("certainty", _certainty, "how sure evaluated policies are by what costs a pass of its own, for compare")
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote")
    one.add_argument("--by", nargs="+", required=True, choices=("ccp", "stated"), help="see docs/uncertainty.md")
    one.add_argument("--nli", help="a folder or hub name of an NLI classifier for ccp; words are compared if not given")

    one = verb("general", _general, "what evaluated policies do outside of their domain, for compare")
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote")
    one.add_argument("--text", help="a UTF-8 file that no policy was trained on: its bits a byte")
    one.add_argument("--engine", choices=_ENGINES, help="transformers if not given")

    one = verb("compare", _compare, "compare evaluations: table, metrics.json, metrics.csv, report.html")
    one.add_argument("evaluations", nargs="+", help="folders that `evaluate` wrote, one of them named base")
    one.add_argument("--output", required=True)

    one = verb("audit", _audit, "measure a domain's verifier against labels given by hand, into its README")
    one.add_argument("reward", help="a folder with reward.yaml, audit.jsonl and README.md")
    one.add_argument("--data", help="the solutions that were labelled, where audit.jsonl does not hold them")
    judging(one)

    one = verb("choose", _choose, "multiple choice: which of the given answers a model finds likeliest")
    one.add_argument("file", help="a CSV file")
    one.add_argument("--form", required=True, choices=["truthfulqa", "gpqa"], help="TruthfulQA.csv, or GPQA's columns")
    one.add_argument("--model", required=True)
    one.add_argument("--output", required=True, help="a folder")
    one.add_argument("--thresholds", type=float, nargs="+", default=[0.5], help="τ of the utilities; %(default)s")

    one = verb("quickstart", _quickstart, "the whole chain, resumable")
    one.add_argument("--config", default=None, help="a recipe, configs/quickstart.yaml if not given")
    one.add_argument("--output", help="folder; the recipe's own if not given")

    one = verb("rounds", _rounds, "the chain again and again: the trained model answers, is scored, paired, trained")
    one.add_argument("--rounds", type=int, required=True)
    one.add_argument("--config", default=None, help="a recipe, configs/quickstart.yaml if not given")
    one.add_argument("--output", help="folder; the recipe's own with -rounds behind its name if not given")
    return parser


if __name__ == "__main__":
    sys.exit(main())
