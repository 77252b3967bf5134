"""`rlhalt train reward`: a trained fragment reward model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhalt.cli import flags
from rlhalt.errors import InputError

_EXAMPLES = """\
examples:
  rlhalt train reward --scored scored.jsonl --kind probe --model smollm2-135m-instruct --output reward-model
  rlhalt train reward --scored scored.jsonl more.jsonl --kind classifier --model smollm2-135m-instruct --output other"""


def parser() -> flags.Parser:
    """The parser of its flags."""
    one = flags.Parser(
        prog="rlhalt train reward",
        description="Train a reward model on scored responses: the probability that a fragment is correct, without a "
        "reference.",
        epilog=_EXAMPLES,
    )
    one.add_argument("--scored", nargs="+", required=True, help="JSON lines that `score` wrote")
    one.add_argument("--output", required=True, help="a folder")
    one.add_argument(
        "--kind",
        choices=("probe", "classifier"),
        default="probe",
        help="probe: linear, on the frozen model's hidden states; classifier: a LoRA adapter",
    )
    one.add_argument("--model", required=True, help="the model that reads; for a probe that of the policy")
    one.add_argument("--seed", type=flags.seed, default=0, help="of the parts of the prompts, and of the training")
    one.add_argument(
        "--unverifiable",
        choices=("unlabelled", "incorrect"),
        default="unlabelled",
        help="fragments that the verifier could not check have no label, or count as incorrect: a policy that is "
        "trained on the reward model then gains nothing by them (default: unlabelled)",
    )
    flags.template_args(one)
    flags.domain(one, "the domain of the responses")
    group = one.add_argument_group("a classifier")
    group.add_argument("--epochs", type=flags.above_0, help="passes over the responses (default: 3)")
    group.add_argument("--learning-rate", type=flags.above_0, help="the highest one (default: 0.0005)")
    group.add_argument("--batch-size", type=flags.count, help="responses in a step (default: 8)")
    return one


def train(argv: Sequence[str]) -> None:
    """Train a reward model and print what was measured.

    Raises:
        InputError: see `rlhalt.reward_model.train.train`.
    """
    found = parser()
    found.refuse_unknown(argv)
    args = found.parse_args(argv)

    from rlhalt.domains import load_domain
    from rlhalt.reward_model.classifier import Schedule
    from rlhalt.reward_model.folder import read_description
    from rlhalt.reward_model.show import table
    from rlhalt.reward_model.train import Settings
    from rlhalt.reward_model.train import train as run

    given = {
        name: getattr(args, name)
        for name in ("epochs", "learning_rate", "batch_size")
        if getattr(args, name) is not None
    }
    if given and args.kind != "classifier":
        flag = next(iter(given)).replace("_", "-")
        raise InputError(f"only used with --kind classifier, found --kind {args.kind}", field=f"--{flag}")
    flags.separate(args.scored, [args.output])
    domains = {flags.domain_of(args.domain, path) for path in args.scored}
    if len(domains) > 1:
        raise InputError(f"expected rows of one domain, found {', '.join(sorted(domains))}", field="--scored")
    settings = Settings(args.kind, args.model, args.seed, dict(args.template_arg), Schedule(**given), args.unverifiable)
    folder = run(args.scored, load_domain(domains.pop()).splitter(), Path(args.output), settings)
    print(table(read_description(folder)))
    print(folder)
