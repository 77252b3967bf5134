"""Whether training took away what it was not about: predicting text, and following short instructions.

    rlhalt general EVALUATION... --text FILE        general.json in each folder; `rlhalt compare` shows it beside base

The text is the user's, held out from training and the same for all models. The instructions are 24 short ones in
`instructions.jsonl` (arithmetic, copying, formats, words, a few ways to speak), each with a pattern that a right answer
matches as a whole. They tell a broken model from a whole one, not a good one from a better one: one answer is 4 points,
and a small model follows few of them before training too. The answers are kept in general.json: read them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.evaluation.model_identity import evaluated
from rlhalt.files.jsonl import read_object
from rlhalt.files.provenance import Run, earlier_config
from rlhalt.files.strict_json import Wrong
from rlhalt.files.text import read_text
from rlhalt.fragments.thinking import answer
from rlhalt.models.names import identity, load_policy, turns
from rlhalt.records import Json, content_key, write_atomic
from rlhalt.running.progress import track
from rlhalt.sampling import EngineName, load_engine

# Tokens that are predicted at once, and the tokens before them that they are predicted from.
WINDOW = 256
ANSWER_TOKENS = 32


@dataclasses.dataclass(frozen=True)
class Window:
    """A stretch of text: the bits that its tokens cost the model, the tokens, and their UTF-8 bytes."""

    bits: float
    tokens: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Instruction:
    """A short instruction, one right answer, and the pattern that right answers match as a whole."""

    instruction: str
    answer: str
    pattern: str

    def right(self, response: str) -> bool:
        """Whether a response is right; white space around it and reasoning before it do not count."""
        return re.fullmatch(self.pattern, answer(response).strip()) is not None


@dataclasses.dataclass(frozen=True)
class General:
    """What one model does outside of its domain.

    Attributes:
        text: the hash of the text that was read; None without one.
        instructions: the hash of the instructions that were given.
        windows: of the text, in its order.
        right: whether each instruction was answered rightly, in their order.
    """

    text: str | None
    instructions: str
    windows: list[Window]
    right: list[bool]

    def check(self) -> None:
        """See `rlhalt.files.jsonl.Row`."""
        for place, one in enumerate(self.windows):
            if one.bits < 0 or one.tokens < 1 or one.bytes < 0:
                raise Wrong(f"windows[{place}]", "expected bits, tokens and bytes of a text")


def instructions() -> list[Instruction]:
    """The instructions that come with rlhalt."""
    lines = files("rlhalt.evaluation").joinpath("instructions.jsonl").read_text(encoding="utf-8").splitlines()
    return [Instruction(**json.loads(line)) for line in lines]


def check(evaluations: Sequence[str | Path], text: str | Path | None = None) -> None:
    """See that all folders, models and the text are there that `measure` reads, before the first model is asked.

    Raises:
        InputError: see `measure` and `rlhalt.models.names.turns`.
    """
    if text is not None and not _text(Path(text)).strip():
        raise InputError("expected a text of two tokens or more, found none", path=text)
    for folder in evaluations:
        turns(evaluated(folder), earlier_config(folder).get("template_args", {}))


def measure(folder: str | Path, text: str | Path | None = None, engine: EngineName = "transformers") -> Path:
    """Write `general.json` into an evaluation folder; what is done already is not done again.

    The model is asked without examples, base too.

    Args:
        text: a UTF-8 file that no model was trained on; none is read if None.

    Raises:
        InputError: no such text, or too little of it; no evaluation folder; or another model in its place now.
    """
    model = evaluated(folder)
    asked = instructions()
    output = Path(folder) / "general.json"
    given = content_key([dataclasses.asdict(one) for one in asked])
    config: Json = {"model": identity(model), "instructions": given, "window": WINDOW, "engine": engine}
    template_args = earlier_config(folder).get("template_args", {})
    if template_args:
        config["template_args"] = template_args
    words = _text(Path(text)) if text is not None else None
    run = Run("general", output, inputs=[text] if text is not None else [], config=config)
    if run.finished and output.is_file():
        return output
    with run:
        chats = [[{"role": "user", "content": one.instruction}] for one in asked]
        loaded = load_engine(model, engine, template_args)
        said = loaded.complete(chats, temperature=0.0, max_tokens=ANSWER_TOKENS, seed=0)
        windows: list[Window] = []
        if words is not None:
            policy, tokenizer = load_policy(model)
            windows = read_windows(policy.float(), tokenizer, words)
        whole = {
            "text": content_key(words) if words is not None else None,
            "instructions": given,
            "windows": [dataclasses.asdict(one) for one in windows],
            "right": [one.right(reply.text) for one, reply in zip(asked, said, strict=True)],
            "responses": [reply.text for reply in said],
        }
        write_atomic(output, [json.dumps(whole, ensure_ascii=False, indent=1), "\n"])
    return output


def load_general(path: Path) -> General | None:
    """A `general.json`; None where there is none.

    Raises:
        InputError: it is not what `measure` writes.
    """
    if not path.exists():
        return None
    try:
        return read_object(path, General, "general.json")
    except InputError as error:
        where = f" in the field '{error.field}'" if error.field else ""
        message = f"expected what rlhalt general writes, found otherwise{where} ({error.message}); remove it"
        raise InputError(message, path=path) from None


def _text(path: Path) -> str:
    return read_text(path, "a text file")


def read_windows(policy: Any, tokenizer: Any, text: str) -> list[Window]:
    """What every token of a text but the first costs, in windows of `WINDOW` tokens, each after as many before it.

    Bits a byte do not depend on the tokenizer (Gao et al., The Pile, arXiv 2101.00027, §3.1); the perplexity a token is
    2 to the bits a token.

    Raises:
        InputError: fewer than two tokens.
    """
    import torch

    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, starts = encoded["input_ids"], [start for start, _ in encoded["offset_mapping"]]
    if len(ids) < 2:
        raise InputError(f"expected a text of two tokens or more, found {len(ids)}", field="--text")
    starts.append(len(text))
    size = min(WINDOW, policy.config.max_position_embeddings // 2)
    found = []
    for low in track(range(1, len(ids), size), "text"):
        high = min(low + size, len(ids))
        first = max(0, low - size)
        ids_1_T = torch.tensor([ids[first:high]], device=policy.device)
        with torch.no_grad():
            # Position t predicts token t + 1.
            logits_T_V = policy(input_ids=ids_1_T, logits_to_keep=high - low + 1).logits[0, :-1]
        chosen_T = logits_T_V.float().log_softmax(-1).gather(-1, ids_1_T[0, low - first :, None])
        size_in_bytes = len(text[starts[low] : starts[high]].encode())
        found.append(Window(-float(chosen_T.double().sum()) / math.log(2), high - low, size_in_bytes))
    return found
