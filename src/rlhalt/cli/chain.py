"""The verbs that train, and those that run several others: train, doctor, quickstart, run, rounds, new, list."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rlhalt.cli.flags import KINDS, count

Verb = Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]


def add_training(verb: Verb) -> None:
    """Declare train and doctor."""
    one = verb("train", lambda args: None, "train sft, dpo, decisions or grpo: keys as in TRL, --config FILE first")
    one.add_argument("kind", choices=KINDS)

    one = verb("doctor", _doctor, "can this machine run a training configuration? versions, devices, memory, servers")
    one.set_defaults(takes_keys=True)
    one.add_argument("kind", choices=KINDS)
    one.add_argument("--config", required=True, help="the configuration; keys as in TRL may stand beside it")
    one.add_argument("--accelerate", help="the file that accelerate launch starts it with, as configs/accelerate has")
    one.add_argument("--dry-run", action="store_true", help="two real steps with a 2-layer model of the same family")


def add_recipes(verb: Verb) -> None:
    """Declare quickstart, run, rounds, new and list."""
    one = verb("quickstart", _quickstart, "the whole chain, resumable")
    one.add_argument("--config", default=None, help="a recipe, configs/recipes/quickstart.yaml if not given")
    one.add_argument("--output", help="folder; the recipe's own if not given")

    one = verb("run", _run, "run a recipe, from prompts to report; resumable")
    one.add_argument("recipe", help="a name that `rlhalt list` shows, or a YAML file")
    one.add_argument("--output", help="folder; the recipe's own if not given")

    one = verb("new", _new, "write a domain of your own that runs, to change piece by piece")
    one.add_argument("what", choices=("domain",))
    one.add_argument("folder", help="a new folder; its name is the domain's")

    one = verb("list", _list, "the domains, methods, styles, recipes and models there are")
    one.add_argument("kind", nargs="?", choices=("domains", "methods", "styles", "recipes", "models"))

    one = verb("rounds", _rounds, "the chain again and again: the trained model answers, is scored, paired, trained")
    one.add_argument("--rounds", type=count, required=True)
    one.add_argument("--config", default=None, help="a recipe, configs/recipes/quickstart.yaml if not given")
    one.add_argument("--output", help="folder; the recipe's own with -rounds behind its name if not given")


def train(kind: str, argv: Sequence[str]) -> None:
    """Train; the keys are those of TRL and are parsed there."""
    if kind == "sft":
        from rlhalt.training.sft import main as run
    elif kind == "dpo":
        from rlhalt.training.dpo import main as run
    elif kind == "decisions":
        from rlhalt.training.decisions import main as run
    else:
        from rlhalt.training.grpo import main as run
    run(argv)


def _doctor(args: argparse.Namespace) -> None:
    from rlhalt.doctor import examine, read_plan, shown
    from rlhalt.doctor.dry_run import dry_run

    plan = read_plan(args.kind, args.config, args.keys, args.accelerate)
    shown([*examine(plan), *([dry_run(plan)] if args.dry_run else [])])


def _quickstart(args: argparse.Namespace) -> None:
    from rlhalt.recipes.recipe import load_recipe
    from rlhalt.recipes.run import run

    run(load_recipe(args.config), Path(args.output) if args.output else None)


def _run(args: argparse.Namespace) -> None:
    from rlhalt.recipes.recipe import load_recipe
    from rlhalt.recipes.run import run

    run(load_recipe(args.recipe), Path(args.output) if args.output else None)


def _new(args: argparse.Namespace) -> None:
    from rlhalt.domains.new import write_domain

    for path in write_domain(args.folder):
        print(path)
    print(f"next: python -m pytest {args.folder}, then rlhalt run {args.folder}/recipe.yaml")


def _list(args: argparse.Namespace) -> None:
    from rlhalt.overview import not_installed, overview

    found = overview()
    for name, command in not_installed().items():
        found["domains"][found["domains"].index(name)] = f"{name} ({command})"
    for kind, names in found.items():
        if args.kind in (None, kind):
            print(f"{kind}: {', '.join(names)}" if args.kind is None else "\n".join(names))


def _rounds(args: argparse.Namespace) -> None:
    from rlhalt.recipes.recipe import load_recipe
    from rlhalt.recipes.rounds import run

    run(load_recipe(args.config), args.rounds, Path(args.output) if args.output else None)
