"""The verbs that train, those that run several others, and helpers.

quickstart, run, rounds; train, doctor; new, list, configs, completion
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from rlhalt.cli.flags import KINDS, REWARD, count
from rlhalt.configs import config_file, config_names, copy_configs

Verb = Callable[..., argparse.ArgumentParser]

_KINDS_LISTED = ("domains", "methods", "preferences", "styles", "recipes", "models")
_SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def add_training(verb: Verb) -> None:
    """Declare doctor and train."""
    one = verb(
        "doctor",
        _doctor,
        "say whether this machine can run a training configuration: versions, devices, memory, disk, servers, data",
        "rlhalt doctor dpo --config dpo/8b_lora --accelerate accelerate/ddp",
        "rlhalt doctor grpo --config configs/grpo/countries.yaml --dry-run --learning_rate 1e-5",
    )
    one.set_defaults(takes_keys=True)
    one.add_argument(
        "kind",
        choices=KINDS,
        help="the training that the configuration is for; it may be left out where the folder of the configuration "
        "says it, as in --config dpo/8b_lora",
    )
    one.add_argument(
        "--config",
        required=True,
        help="a file, or a name that `rlhalt configs` shows; keys as in TRL may follow, as --beta 0.2",
    )
    one.add_argument("--accelerate", help="the file that accelerate launch starts it with, as configs/accelerate has")
    one.add_argument("--dry-run", action="store_true", help="two real steps with a 2-layer model of the same family")

    one = verb(
        "train",
        lambda args: None,
        "train with sft, dpo, decisions or grpo, or a reward model; `rlhalt train KIND --help` lists the keys",
        "rlhalt train dpo --config configs/dpo/135m.yaml --train_file pairs.jsonl --output_dir models/dpo",
        "accelerate launch -m rlhalt train sft --config configs/sft/8b_lora.yaml --train_file targets.jsonl",
    )
    one.add_argument(
        "kind",
        choices=(*KINDS, REWARD),
        help="the training; its keys follow, as in TRL: --config FILE --key value; reward has flags",
    )


def add_recipes(verb: Verb) -> None:
    """Declare quickstart, run and rounds."""
    one = verb(
        "quickstart",
        _quickstart,
        "run the recipe `quickstart`: a small model, from prompts to report.html; resumable",
        "rlhalt quickstart",
        "rlhalt quickstart --output runs/first",
    )
    one.add_argument("--config", help="another recipe: a name that `rlhalt list recipes` shows, or a YAML file")
    one.add_argument("--output", help="folder (default: the recipe's own)")

    one = verb(
        "run",
        _run,
        "run a recipe, from prompts to report.html; resumable",
        "rlhalt run elements",
        "rlhalt run legs/recipe.yaml --output runs/legs",
    )
    one.add_argument("recipe", help="a name that `rlhalt list recipes` shows, or a YAML file")
    one.add_argument("--output", help="folder (default: the recipe's own)")

    one = verb(
        "rounds",
        _rounds,
        "run a recipe several times, each round on responses of the model that the round before trained",
        "rlhalt rounds --rounds 2 --config elements",
        "rlhalt rounds --rounds 3 --config legs/recipe.yaml --output runs/legs-rounds",
    )
    one.add_argument("--rounds", type=count, required=True, help="how many")
    one.add_argument("--config", required=True, help="a recipe of one domain: a name or a file")
    one.add_argument("--output", help="folder (default: the recipe's own with -rounds behind its name)")


def add_helpers(verb: Verb) -> None:
    """Declare new, list, configs and completion."""
    one = verb(
        "new",
        _new,
        "write a domain of your own that runs, to change piece by piece",
        "rlhalt new domain legs",
        "rlhalt new domain ../my-domains/chemistry",
    )
    one.add_argument("what", choices=("domain",), help="what to write")
    one.add_argument("folder", help="a new folder; its name is the domain's")

    one = verb(
        "list",
        _list,
        "list the domains, methods, preference methods, styles, recipes and models there are",
        "rlhalt list",
        "rlhalt list recipes",
    )
    one.add_argument("kind", nargs="?", choices=_KINDS_LISTED, help="of this kind only (default: all kinds)")

    one = verb(
        "configs",
        _configs,
        "list the training configurations and recipes that come with rlhalt, or copy them to change them",
        "rlhalt configs",
        "rlhalt configs --copy my-configs",
    )
    one.add_argument(
        "--copy",
        nargs="?",
        const="configs",
        metavar="FOLDER",
        help="copy all of them into this folder (default: configs)",
    )

    one = verb(
        "completion",
        _completion,
        "print a script that completes verbs and flags in a shell",
        'eval "$(rlhalt completion bash)"',
        "rlhalt completion zsh > ~/.zsh/completions/_rlhalt",
    )
    one.add_argument("shell", choices=_SHELLS, help="the shell that reads the script")


def with_config_file(argv: Sequence[str]) -> list[str]:
    """Arguments of a training, the configuration as a file where it is named."""
    found = list(argv)
    for place, one in enumerate(found[:-1]):
        if one == "--config":
            found[place + 1] = str(config_file(found[place + 1]))
    return found


def with_kind(argv: Sequence[str]) -> list[str]:
    """Arguments of `doctor`, with the kind that the folder of the configuration names where none is given."""
    found = [one.removeprefix("--config=") for one in argv if one.startswith("--config=")]
    found += [after for one, after in itertools.pairwise(argv) if one == "--config"]
    folder = Path(found[0]).parent.name if found and argv[0].startswith("-") else ""
    return [folder, *argv] if folder in KINDS else list(argv)


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

    plan = read_plan(args.kind, config_file(args.config), args.keys, args.accelerate and config_file(args.accelerate))
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
    print(f"next: rlhalt run {args.folder}/recipe.yaml; its tests: pip install pytest, python -m pytest {args.folder}")


def _list(args: argparse.Namespace) -> None:
    from rlhalt.overview import not_installed, overview

    found = overview()
    for name, command in not_installed().items():
        found["domains"][found["domains"].index(name)] = f"{name} ({command})"
    for kind, names in found.items():
        if args.kind in (None, kind):
            print(f"{kind}: {', '.join(names)}" if args.kind is None else "\n".join(names))


def _configs(args: argparse.Namespace) -> None:
    if args.copy is None:
        print("\n".join(config_names()))
    else:
        print(f"{len(copy_configs(args.copy))} files copied to {args.copy}")


def _rounds(args: argparse.Namespace) -> None:
    from rlhalt.recipes.recipe import load_recipe
    from rlhalt.recipes.rounds import run

    run(load_recipe(args.config), args.rounds, Path(args.output) if args.output else None)


def _completion(args: argparse.Namespace) -> None:
    import shtab

    from rlhalt.cli import _parser

    print(shtab.complete(_parser(), args.shell))
