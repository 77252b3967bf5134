"""Flags that several verbs share, and the checks of their values."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rlhalt.errors import InputError, near
from rlhalt.judge_arguments import JudgeArguments
from rlhalt.key_variable import check_variable

if TYPE_CHECKING:
    from rlhalt.records import Message, Prompt
    from rlhalt.running.cluster import Cluster

ENGINES = ("transformers", "vllm")
KINDS = ("sft", "dpo", "decisions", "grpo")
REWARD = "reward"
"""The training that is not one of TRL's: its flags are those of rlhalt, see `rlhalt.cli.reward`."""


class Help(argparse.RawDescriptionHelpFormatter):
    """A help that shows which flags are required, and the default of each other flag that has one."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        if action.option_strings and action.required:
            return f"{text} (required)".strip()
        # A switch is off if not given, and a flag without a default says in words what happens then.
        shown = None if action.nargs == 0 or action.default in (None, [], argparse.SUPPRESS) else action.default
        if shown is None or "(default:" in text:
            return text
        values = " ".join(map(str, shown)) if isinstance(shown, list) else str(shown)
        return f"{text} (default: {values})".strip()


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors of rlhalt are, and name what is near to a misspelt word."""

    def __init__(self, **keys: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": Help, **keys})

    def refuse_unknown(self, argv: Sequence[str]) -> None:
        """See that every flag is one of this parser's, before argparse asks for those that are missing.

        Raises:
            InputError: naming the unknown flag and the known one that is nearest.
        """
        for word in itertools.takewhile(lambda one: one != "--", argv):
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self._option_string_actions:
                self.error(f"unrecognized arguments: {name}{near(name, self._option_string_actions)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(map(str, action.choices))
            hint = near(str(value), map(str, action.choices)) or f"; choose from {known}"
            name = action.metavar if isinstance(action.metavar, str) else action.dest
            where = "/".join(action.option_strings) or name
            raise argparse.ArgumentError(None, f"{where}: invalid choice {_cut(str(value))}{hint}")

    def error(self, message: str) -> NoReturn:
        """Refuse the command.

        Raises:
            InputError: always.
        """
        raise InputError(message if message.endswith("?") else f"{message}; see {self.prog} --help")


def whole(least: int, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Reads a whole number from `least` to `most`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, found {_cut(text)}")
        return value

    return read


def real(expected: str, right: Callable[[float], bool]) -> Callable[[str], float]:
    """Reads a finite number for which `right` is true; `expected` says in words which these are."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or not right(value):
            raise argparse.ArgumentTypeError(f"expected {expected}, found {_cut(text)}")
        return value

    return read


def _cut(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def text(given: str) -> str:
    """Reads a text that is not empty."""
    if not given.strip():
        raise argparse.ArgumentTypeError(f"expected a text, found {_cut(given)}")
    return given


def variable(given: str) -> str:
    """Reads the name of an environment variable with an API key; see `rlhalt.key_variable`."""
    check_variable(given, "key")
    return given


threshold = real("a threshold above 0 and below 1", lambda value: 0 < value < 1)
share = real("a share above 0 and up to 1", lambda value: 0 < value <= 1)
at_least_0 = real("a number of at least 0", lambda value: value >= 0)
above_0 = real("a number above 0", lambda value: value > 0)
count = whole(1)
# What PyTorch's and NumPy's generators both take.
seed = whole(0, 2**32 - 1)


def sampling(one: argparse.ArgumentParser) -> None:
    """The flags of the verbs that ask a policy."""
    one.add_argument("--model", required=True, help="smollm2-135m-instruct, a model or adapter folder, a hub name")
    one.add_argument("--prompts", required=True, help="JSON lines of prompts with references, as `prompts` writes")
    one.add_argument("--few-shot", action="store_true", help="put the domain's examples before every prompt")
    one.add_argument("--seed", type=seed, default=0, help="of the draws")
    one.add_argument("--max-tokens", type=count, default=64, help="the longest response, in tokens")
    template_args(one)


def template_args(one: argparse.ArgumentParser) -> None:
    """The flag for arguments of the chat template."""
    one.add_argument(
        "--template-arg",
        metavar="NAME=VALUE",
        type=_template_arg,
        action="append",
        default=[],
        help="an argument of the model's chat template, as enable_thinking=false; may be repeated",
    )


def serving(one: argparse.ArgumentParser) -> None:
    """The flags of a served model that is sampled from, and of vLLM."""
    group = one.add_argument_group("a served model (--engine openai)")
    group.add_argument("--address", metavar="URL", help="an OpenAI-compatible server: http://host:8000/v1")
    group.add_argument(
        "--key",
        type=variable,
        metavar="VARIABLE",
        help="the environment variable with the API key (default: OPENAI_API_KEY)",
    )
    group.add_argument("--concurrency", metavar="N", type=count, help="requests under way at once (default: 16)")
    group.add_argument("--timeout", metavar="S", type=above_0, help="seconds that a response may take (default: 600)")
    group = one.add_argument_group("vLLM (--engine vllm)")
    group.add_argument("--tensor-parallel", metavar="N", type=count, help="GPUs that share the model (default: 1)")
    group.add_argument(
        "--longest",
        metavar="N",
        type=count,
        help="prompt and response together, in tokens (default: 4096, or what the model can read)",
    )
    group.add_argument("--dtype", metavar="NAME", help="of weights and activations (default: bfloat16)")


def engine_args(args: argparse.Namespace, engine: str) -> dict[str, dict[str, Any]]:
    """The flags of `serving` that are given, as arguments of the engines.

    Raises:
        InputError: one for another engine, or a served model without its address.
    """
    names = {
        "openai": {"address": "address", "key_variable": "key", "concurrency": "concurrency", "timeout": "timeout"},
        "vllm": {"tensor_parallel": "tensor_parallel", "longest": "longest", "dtype": "dtype"},
    }
    found = {
        kind: {name: getattr(args, flag) for name, flag in flags.items() if getattr(args, flag) is not None}
        for kind, flags in names.items()
    }
    for kind, given in found.items():
        if given and kind != engine:
            flag = names[kind][next(iter(given))].replace("_", "-")
            raise InputError(f"only used with --engine {kind}, found --engine {engine}", field=f"--{flag}")
    if engine == "openai" and "address" not in found["openai"]:
        raise InputError("expected the server's address with --engine openai, found none", field="--address")
    return found


def engine_here(text: str) -> str:
    """Reads the name of an engine that loads a model here."""
    if text == "openai":
        raise argparse.ArgumentTypeError(
            "a served model gives no probabilities of its own words, which are measured here; choose "
            f"{' or '.join(ENGINES)}, or sample it with `rlhalt sample --engine openai` and judge with `rlhalt score`"
        )
    return text


def _template_arg(text: str) -> tuple[str, Any]:
    """NAME=VALUE, where the value is JSON or else a text."""
    from rlhalt.files.strict_json import Wrong, parse

    name, found, value = text.partition("=")
    if not found or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {_cut(text)}")
    try:
        return name, parse(value)
    except Wrong as wrong:
        # What begins as JSON, and is none that can be written down, is no text that was meant.
        if value[:1] in "[{" or value in ("NaN", "Infinity", "-Infinity") or value.lstrip("-").isdigit():
            raise argparse.ArgumentTypeError(wrong.message) from None
        return name, value


def domain(
    one: argparse.ArgumentParser,
    text: str = "what judges: a name that `rlhalt list domains` shows, or a folder with domain.yaml",
    default: str = "the rows' own domain",
) -> None:
    """The flag that names the domain; without it `default` says which one it is."""
    one.add_argument("--domain", help=f"{text} (default: {default})")


def spreading(one: argparse.ArgumentParser) -> None:
    """The flag of the verbs that work on a cluster."""
    one.add_argument("--workers", metavar="N", type=count, help="with --engine ray (default: one per GPU or CPU)")


def judging(one: argparse.ArgumentParser) -> None:
    """The flags of the verbs that judge."""
    one.add_argument("--unsafe", action="store_true", help="run generated code although no sandbox works here")
    group = one.add_argument_group("a language model as the judge (domains that need one)")
    kinds: dict[str, Callable[[str], Any]] = {
        "judge_key": variable,
        "judge_prices": at_least_0,
        "judge_concurrency": count,
        "judge_rate": above_0,
        "judge_max_tokens": count,
        "judge_timeout": above_0,
        "budget_calls": whole(0),
        "budget_tokens": whole(0),
        "budget_money": at_least_0,
    }
    for field in dataclasses.fields(JudgeArguments):
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            nargs=2 if field.name == "judge_prices" else None,
            type=kinds.get(field.name, str),
            default=field.default,
            **field.metadata,
        )


def judge(args: argparse.Namespace) -> JudgeArguments:
    """What the flags of `judging` say."""
    return JudgeArguments(**{one.name: getattr(args, one.name) for one in dataclasses.fields(JudgeArguments)})


def cluster(args: argparse.Namespace, *, gpu: bool = False) -> Cluster | None:
    """Where the work is to be done, if not here."""
    if args.engine == "ray":
        from rlhalt.running.cluster import join

        return join(args.workers, gpu=gpu)
    if args.workers is not None:
        raise InputError("only used with --engine ray", field="--workers")
    return None


@dataclasses.dataclass(frozen=True)
class _Domain:
    """What every row of prompts, responses and scored responses says, or leaves out."""

    key: str = ""
    domain: str = ""


def domain_of(given: str | None, path: str) -> str:
    """The domain that judges the rows of a file: the one they name, or `given` where they name none.

    Raises:
        InputError: there are no rows; they name several domains, none where none is given, or another one than the
            given.
    """
    from rlhalt.domains import read_domain
    from rlhalt.files.jsonl import iter_rows

    first: dict[str, int] = {}
    for row, one in iter_rows(path, _Domain):
        first.setdefault(one.domain, row)
    if not first:
        raise InputError("expected at least one row, found none", path=path)
    named = [one for one in first if one]
    if len(named) > 1:
        raise InputError(
            f"expected rows of one domain, found '{named[0]}' in row {first[named[0]]} and '{named[1]}' in row "
            f"{first[named[1]]}; put them into files of their own",
            path=path,
            field="domain",
        )
    if given is None:
        if not named:
            raise InputError("the rows name no domain; say what judges them", path=path, field="--domain")
        return named[0]
    known = {given, Path(given).resolve().name, read_domain(given).domain}
    if named and named[0] not in known and Path(named[0]).name not in known:
        raise InputError(
            f"expected rows of the domain '{given}', found '{named[0]}' in row {first[named[0]]}; leave out --domain, "
            "or write the prompts again with --domain",
            path=path,
            field="domain",
        )
    return given


def few_shot(args: argparse.Namespace, prompts: Sequence[Prompt]) -> tuple[Message, ...]:
    """The examples that are put before every prompt; none where they are not asked for."""
    return examples(prompts, args.domain) if args.few_shot else ()


def examples(prompts: Sequence[Prompt], domain: str | None = None) -> tuple[Message, ...]:
    """The examples of a domain, that which prompts name if not given.

    Raises:
        InputError: prompts of several domains, a domain without examples, or a prompt that is itself an example.
    """
    from rlhalt.domains import load_domain

    domains = sorted({one.domain for one in prompts})
    if len(domains) != 1:
        raise InputError(f"expected prompts of one domain, found {', '.join(domains) or 'none'}", field="--few-shot")
    found = load_domain(domain or domains[0]).few_shot()
    shown = {message["content"] for message in found if message["role"] == "user"}
    for prompt in prompts:
        if prompt.prompt[-1]["content"] in shown:
            raise InputError(
                f"expected other prompts than the examples of '{domains[0]}', found "
                f"{prompt.prompt[-1]['content']!r} in both: its answer would be shown before "
                "it is asked; take it out of one of them",
                field="--few-shot",
            )
    return found


def some(rows: list[Any], path: str) -> list[Any]:
    """The rows.

    Raises:
        InputError: there are none.
    """
    if not rows:
        raise InputError("expected at least one row, found none", path=path)
    return rows


def of_split(prompts: Sequence[Prompt], split: str, path: str | Path) -> list[Prompt]:
    """The prompts of a split; `all` takes every one.

    Raises:
        InputError: there are none, naming the splits that there are.
    """
    chosen = [one for one in prompts if split in (one.split, "all")]
    if not chosen:
        splits = Counter(one.split for one in prompts)
        found = " and ".join(f"{n} of {name}" for name, n in splits.items()) or "none"
        raise InputError(f"expected prompts of the split {split}, found {found}", path=path, field="split")
    return chosen


def separate(inputs: Sequence[str | Path | None], outputs: Sequence[str | Path | None]) -> None:
    """See that no output is an input, and no two outputs are one file.

    Raises:
        InputError: one would overwrite the other.
    """
    from rlhalt.files.provenance import refuse_overwriting

    refuse_overwriting([one for one in inputs if one is not None], [one for one in outputs if one is not None])
