"""The verbs that publish: merge, card, push."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from rlhalt.errors import InputError

Verb = Callable[..., argparse.ArgumentParser]


def add(verb: Verb) -> None:
    """Declare the verbs."""
    one = verb(
        "merge",
        _merge,
        "merge an adapter into its base model: one folder that transformers and vLLM load",
        "rlhalt merge --model runs/quickstart/seed0/dpo-0.5 --output merged",
        "rlhalt merge --model adapter --output models/merged",
    )
    one.add_argument("--model", required=True, help="the folder of an adapter")
    one.add_argument("--output", required=True, help="a new folder")

    one = verb(
        "card",
        _card,
        "print the card of a trained model, or of a file of pairs",
        "rlhalt card --model runs/quickstart/seed0/dpo-0.5 --report runs/quickstart/countries/report",
        "rlhalt card --pairs runs/quickstart/joined/pairs-0.5.jsonl",
    )
    _what(one)

    one = verb(
        "push",
        _push,
        "upload a trained model, or a file of pairs, with its card to a model hub",
        "rlhalt push --model merged --report runs/quickstart/countries/report --repository me/halting-model",
        "rlhalt push --pairs pairs.jsonl --repository me/halting-pairs --public",
    )
    _what(one)
    one.add_argument("--repository", metavar="NAME", required=True, help="as me/halting-model")
    one.add_argument("--public", action="store_true", help="anybody may read it")


def _what(one: argparse.ArgumentParser) -> None:
    one.add_argument("--model", help="the folder of a trained model")
    one.add_argument("--pairs", help="JSON lines that `pairs` wrote")
    one.add_argument("--report", metavar="FOLDER", help="with --model: what `compare` wrote, for the card's results")


def _check(args: argparse.Namespace) -> None:
    if bool(args.model) == bool(args.pairs):
        raise InputError("expected --model or --pairs, one of the two", field="--model")
    if args.pairs and args.report:
        raise InputError("expected none with --pairs: the results are those of a model", field="--report")


def _merge(args: argparse.Namespace) -> None:
    from rlhalt.publish.merge import merge

    print(merge(args.model, args.output))


def _card(args: argparse.Namespace) -> None:
    from rlhalt.publish.data_card import data_card
    from rlhalt.publish.model_card import model_card

    _check(args)
    print(model_card(args.model, args.report) if args.model else data_card(args.pairs), end="")


def _push(args: argparse.Namespace) -> None:
    from rlhalt.publish.push import push_model, push_pairs

    _check(args)
    private = not args.public
    if args.model:
        print(push_model(args.model, args.repository, report=args.report, private=private))
    else:
        print(push_pairs(args.pairs, args.repository, private=private))
