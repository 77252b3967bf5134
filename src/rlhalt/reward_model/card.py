"""The card of a reward model: what it is, what it was measured to do, how it is used, and its limits."""

from __future__ import annotations

from rlhalt.reward_model.folder import Description
from rlhalt.reward_model.show import table

_USE = """\
## How to use it

As a confidence, for a cut at any τ:

    rlhalt calibrate --model MODEL --prompts PROMPTS --by reward --reward-model FOLDER

As a verifier without references, in the `domain.yaml` of a domain:

    verifier: model
    reward_model: FOLDER
"""


def card(told: Description) -> str:
    """The text of README.md in the folder of a reward model."""
    from huggingface_hub import ModelCardData

    head = ModelCardData(
        base_model=told.model if told.model.count("/") == 1 and not told.model.startswith((".", "/")) else None,
        library_name="peft" if told.kind == "classifier" else "rlhalt",
        pipeline_tag="token-classification",
        tags=["rlhalt", "reward-model", "factuality"],
    )
    reads = (
        f"A linear probe on the hidden states of `{told.model}`, layer {told.layer}, at each fragment's last token."
        if told.kind == "probe"
        else f"A token classifier: a LoRA adapter of `{told.model}`, read at the last token of each fragment."
    )
    return "\n".join(
        [
            f"---\n{head.to_yaml()}\n---\n",
            f"# Fragment reward model for {told.domain}\n",
            f"{reads} It gives the probability that a fragment is correct, from prompt and response alone. It was "
            f"trained with [rlhalt](https://github.com/rlhalt/rlhalt) on verdicts of `{told.verifier}`.\n",
            f"## Measured\n\n```\n{table(told)}\n```\n",
            _USE,
            "## Limits\n\nIt has learnt what one verifier said of one kind of question, split by one fragmenter. On "
            "other questions, and on responses of other models, its probabilities may be wrong: measure them there. A "
            "policy that is trained on its rewards may find what it overrates.\n",
        ]
    )
