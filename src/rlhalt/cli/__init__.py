"""The command line: verbs to functions. Nothing heavy is imported before a verb runs.

flags     the flags that several verbs share, and the checks of their values
overview  the first screen, with every verb in its group
data      prompts, sample, score, annotated, pairs, decisions, distil
measure   evaluate, calibrate, answer, certainty, general, compare, audit, choose
serve     serve
reward    train reward
publish   merge, card, push
chain     train, doctor, quickstart, run, rounds, new, list, configs, completion
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import rlhalt
from rlhalt.cli import chain, data, measure, publish, reward, serve
from rlhalt.cli.flags import KINDS, REWARD, Parser
from rlhalt.cli.overview import Overview
from rlhalt.errors import InputError, RlhaltError
from rlhalt.running.heartbeat import alive


def guarded(work: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    """Run, and turn what a user can repair into one line on standard error and an exit code (2 input, 3 failures)."""
    verb = argv[0] if argv and not argv[0].startswith("-") else ""
    try:
        with alive(f"rlhalt {verb}".strip()):
            work(argv)
    except RlhaltError as error:
        print(f"rlhalt: {_one_line(str(error))}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        # A full disk, a missing permission: the user's to repair. What was half written has been removed.
        where = f"{error.filename}: " if error.filename else ""
        print(f"rlhalt: {_one_line(f'{where}{error.strerror or error}')}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rlhalt: stopped; run the same command again to resume", file=sys.stderr)
        return 130
    return 0


def _one_line(text: str) -> str:
    """A text as one line that every terminal can show; names of files and keys may hold anything."""
    shown = " ".join(text.split())
    return shown.encode("utf-8", "backslashreplace").decode()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `rlhalt`."""
    # With OpenMP's default, threads that wait spin: on a busy machine a step takes up to 40 times as long. It has to be
    # set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return guarded(_dispatch, sys.argv[1:] if argv is None else argv)


def _dispatch(argv: Sequence[str]) -> None:
    if any("\0" in one for one in argv):
        raise InputError("expected arguments of text, found a null character")
    # The trainers' keys are TRL's: they are parsed there, strictly, not here.
    if argv[:1] == ["train"] and len(argv) > 1 and argv[1] in KINDS:
        chain.train(argv[1], chain.with_config_file(argv[2:]))
        return
    if argv[:2] == ["train", REWARD]:
        reward.train(argv[2:])
        return
    parser = _parser()
    if not argv:
        parser.print_help()
        return
    verb = parser.verbs.get(argv[0])
    if isinstance(verb, Parser) and not verb.get_default("takes_keys"):
        verb.refuse_unknown(argv[1:])
    args, keys = parser.parse_known_args(["doctor", *chain.with_kind(argv[1:])] if argv[0] == "doctor" else argv)
    if keys and not args.takes_keys:
        parser.error(f"unrecognized arguments: {' '.join(keys)}")
    args.keys = keys
    args.run(args)


def _parser() -> Overview:
    """The parser of the command line, with every verb."""
    parser = Overview("rlhalt", rlhalt.__doc__)
    parser.add_argument("--version", action="version", version=rlhalt.__version__)
    parser.set_defaults(takes_keys=False)
    chain.add_recipes(parser.group("All steps in one command"))
    data.add(parser.group("Training data"))
    chain.add_training(parser.group("Training"))
    measure.add(parser.group("Evaluation"))
    measure.add_cut(parser.group("A model with calibrated probabilities"))
    serve.add(parser.group("A model with calibrated probabilities"))
    publish.add(parser.group("Publishing"))
    chain.add_helpers(parser.group("Helpers"))
    return parser
