"""Responses from a policy: `sample` asks an engine, in batches, for what is not there yet.

An engine is anything that completes chat messages: `rlhalt.sampling.local` (transformers, everywhere) or
`rlhalt.sampling.vllm` (where vLLM is installed).
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from rlhalt.errors import InputError
from rlhalt.journal import Journal
from rlhalt.models import identity
from rlhalt.progress import track
from rlhalt.records import Message, Prompt, Response, content_key, read
from rlhalt.runs import Run

EngineName = Literal["transformers", "vllm"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How responses are drawn; every field decides the text and is part of a response's key.

    Attributes:
        model: a name or folder, see `rlhalt.models.resolve_model`.
        engine: `transformers` or `vllm`.
        responses: how many responses a prompt, k. At temperature 0 they would be equal, so k must be 1 there.
        temperature: 0 is greedy decoding; 1 samples from the model as it is.
        max_tokens: the longest response, in tokens.
        seed: of the random numbers; the same seed gives the same responses on the same machine.
        few_shot: examples put before every prompt; for a pretrained model, not for a trained one.
        batch_size: prompts completed together. It decides the rounding, therefore it belongs here.
    """

    model: str
    engine: EngineName = "transformers"
    responses: int = 1
    temperature: float = 1.0
    max_tokens: int = 64
    seed: int = 0
    few_shot: tuple[Message, ...] = ()
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.responses < 1 or self.max_tokens < 1 or self.batch_size < 1:
            raise InputError("expected responses, max_tokens and batch_size of at least 1", field="sampling")
        if self.temperature < 0:
            raise InputError(f"expected a temperature of at least 0, found {self.temperature}", field="temperature")
        if self.temperature == 0 and self.responses > 1:
            raise InputError("expected one response at temperature 0, where all would be equal", field="responses")

    def described(self) -> dict[str, object]:
        """The settings as written into each row; few-shot examples as their number and content key."""
        row = dataclasses.asdict(self)
        row["model"] = identity(self.model)
        row["few_shot"] = f"{len(self.few_shot) // 2} ({content_key(self.few_shot)})" if self.few_shot else ""
        return row


@dataclasses.dataclass(frozen=True)
class Completion:
    """What an engine wrote: the text, the tokens it took (end of turn not counted), and why it ended."""

    text: str
    n_tokens: int
    finish_reason: Literal["stop", "length"]


class Engine(Protocol):
    """Completes chats.

    `complete` takes B chats, each ending with a user's message, or with an assistant's message to be gone on with, and
    returns B completions; equal arguments give equal completions.
    """

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See the class."""
        ...


def encode(tokenizer: Any, chat: Sequence[Message]) -> list[int]:
    """Token ids of a chat up to where the assistant speaks, or goes on speaking."""
    goes_on = chat[-1]["role"] == "assistant"
    ids: list[int] = tokenizer.apply_chat_template(
        list(chat), add_generation_prompt=not goes_on, continue_final_message=goes_on, return_dict=False
    )
    return ids


def default_engine() -> EngineName:
    """`vllm` where it is installed, else `transformers`."""
    return "vllm" if importlib.util.find_spec("vllm") else "transformers"


def load_engine(model: str, engine: str) -> Engine:
    """The engine by name, with the model loaded."""
    if engine == "transformers":
        from rlhalt.sampling.local import TransformersEngine

        return TransformersEngine(model)
    if engine == "vllm":
        if not importlib.util.find_spec("vllm"):
            raise InputError(
                "vLLM is not installed here: pip install 'rlhalt[vllm]', or use transformers", field="engine"
            )
        from rlhalt.sampling.vllm import VllmEngine

        return VllmEngine(model)
    raise InputError(f"expected transformers or vllm, found '{engine}'", field="engine")


def sample(
    prompts: Sequence[Prompt],
    settings: Settings,
    output: str | Path,
    load: Callable[[str, str], Engine] = load_engine,
) -> list[Response]:
    """Draw `settings.responses` responses to each prompt into a JSONL file; what is there already is kept.

    Batches are composed from all responses wanted, not from the missing ones, and each has a seed of its own, so that a
    run that was killed and run again gives the same rows as one that was not.
    """
    described = settings.described()
    wanted = [(prompt, index) for index in range(settings.responses) for prompt in prompts]
    keys = [content_key(prompt.key, described, index) for prompt, index in wanted]
    run = Run("sample", output, config={"sampler": described, "prompts": content_key([one.key for one in prompts])})
    if run.finished and Path(output).is_file():
        return list(read(output, Response))
    with run, Journal(output, Response) as journal:
        batches = list(_batches(wanted, keys, settings.batch_size))
        missing = [batch for batch in batches if any(key not in journal for key in batch[1])]
        engine = load(settings.model, settings.engine) if missing else None
        for jobs, batch_keys in track(missing, f"sample {Path(settings.model).name}"):
            assert engine is not None
            completions = engine.complete(
                [[*settings.few_shot, *prompt.prompt] for prompt, _ in jobs],
                temperature=settings.temperature,
                max_tokens=settings.max_tokens,
                seed=int(content_key(settings.seed, batch_keys), 16) % 2**31,
            )
            for (prompt, index), key, completion in zip(jobs, batch_keys, completions, strict=True):
                journal.add(
                    Response(
                        key=key,
                        prompt_key=prompt.key,
                        index=index,
                        prompt=prompt.prompt,
                        response=completion.text,
                        reference=prompt.reference,
                        domain=prompt.domain,
                        split=prompt.split,
                        finish_reason=completion.finish_reason,
                        sampler=described,
                        n_tokens=completion.n_tokens,
                    )
                )
        journal.finish(keys)
        rows = list(read(output, Response))
        run.result(rows=len(rows), tokens=sum(row.n_tokens for row in rows))
    return rows


def _batches(
    wanted: Sequence[tuple[Prompt, int]], keys: Sequence[str], size: int
) -> Iterator[tuple[Sequence[tuple[Prompt, int]], Sequence[str]]]:
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size], keys[start : start + size]
