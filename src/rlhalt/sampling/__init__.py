"""Responses from a policy: `sample` asks an engine, in batches, for what is not there yet.

An engine is anything that completes chat messages: `rlhalt.sampling.local` (transformers, everywhere),
`rlhalt.sampling.vllm` (where vLLM is installed) or `rlhalt.sampling.openai` (a served model). It decides the text;
where it runs, here or in the workers of a Ray cluster (`rlhalt.running.cluster`), does not.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from rlhalt.chat.plain import answer, completes
from rlhalt.errors import InputError
from rlhalt.files.journal import Journal
from rlhalt.files.jsonl import doubled
from rlhalt.files.provenance import Run, already_done
from rlhalt.models.names import identity, resolve_model
from rlhalt.records import Json, Message, Prompt, Response, content_key, read
from rlhalt.running.cluster import Cluster
from rlhalt.running.progress import track

# The share of responses above which a warning says that they were cut off.
MOST_CUT_OFF = 0.1

EngineName = Literal["transformers", "vllm", "openai"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How responses are drawn; every field decides the text and is part of a response's key.

    Attributes:
        model: a name or folder, see `rlhalt.models.names.resolve_model`; or the name that a server knows it by.
        engine: `transformers`, `vllm` or `openai`.
        responses: how many responses a prompt, k. At temperature 0 they would be equal, so k must be 1 there.
        temperature: 0 is greedy decoding; 1 samples from the model as it is.
        max_tokens: the longest response, in tokens.
        seed: of the random numbers; the same seed gives the same responses on the same machine.
        few_shot: examples put before every prompt; for a pretrained model, not for a trained one.
        batch_size: prompts completed together. It decides the rounding, therefore it belongs here. On a CPU 32 takes
            half of the memory of 64 and no longer; vLLM takes hundreds.
        template_args: arguments of the model's chat template, `{"enable_thinking": False}` say.
        engine_args: arguments of the engine that decide the text, `{"dtype": "float16"}` say; see `load_engine`.
        decoding: how tokens or responses are chosen where not by the model's probabilities alone, see
            `rlhalt.decoding.methods.Decoding.described`. The engine that does so is what `sample` is given.
    """

    model: str
    engine: EngineName = "transformers"
    responses: int = 1
    temperature: float = 1.0
    max_tokens: int = 64
    seed: int = 0
    few_shot: tuple[Message, ...] = ()
    batch_size: int = 32
    template_args: Json = dataclasses.field(default_factory=dict)
    engine_args: Json = dataclasses.field(default_factory=dict)
    decoding: Json = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.responses < 1 or self.max_tokens < 1 or self.batch_size < 1:
            raise InputError("expected responses, max_tokens and batch_size of at least 1", field="sampling")
        if self.temperature < 0:
            raise InputError(f"expected a temperature of at least 0, found {self.temperature}", field="temperature")
        if self.temperature == 0 and self.responses > 1:
            raise InputError("expected one response at temperature 0, where all would be equal", field="responses")

    def described(self) -> Json:
        """The settings as written into each row; few-shot examples as their number and content key.

        Arguments of template, engine and decoding are one text each, and are left out where there are none.
        """
        row = dataclasses.asdict(self)
        row["model"] = identity(self.model)
        row["few_shot"] = f"{len(self.few_shot) // 2} ({content_key(self.few_shot)})" if self.few_shot else ""
        for name in ("template_args", "engine_args", "decoding"):
            arguments = row.pop(name)
            if arguments:
                row[name] = json.dumps(arguments, sort_keys=True)
        return row


@dataclasses.dataclass(frozen=True)
class Completion:
    """What an engine wrote: the text, the tokens it took (end of turn not counted), and why it ended.

    Where the chat template opens the reasoning, the text begins with that opening mark: what is reasoning can then be
    told from the text alone.

    `model` is the name that a server gives its model; empty for a model that is loaded here.
    """

    text: str
    n_tokens: int
    finish_reason: Literal["stop", "length"]
    model: str = ""


class Engine(Protocol):
    """Completes chats.

    `complete` takes B chats, each ending with a user's message, or with an assistant's message to continue, and
    returns B completions; equal arguments give equal completions.
    """

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See the class."""
        ...


def completed(tokenizer: Any, ends: Collection[int], ids: Sequence[int], opening: str = "") -> Completion:
    """What the generated tokens say, up to the first that ends a turn.

    Args:
        ends: see `rlhalt.chat.templates.turn_ends`.
        opening: the mark with which the prompt opened the reasoning.

    A model that completes (`rlhalt.chat.plain`) ends its answer where it begins the next question.
    """
    length = next((place for place, one in enumerate(ids) if one in ends), None)
    said = list(ids[:length])
    if completes(tokenizer) and (found := answer(tokenizer, said)):
        return Completion(*found, "stop")
    text = tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return Completion(opening + text, len(said), "length" if length is None else "stop")


def default_engine() -> EngineName:
    """`vllm` where it is installed, else `transformers`."""
    return "vllm" if importlib.util.find_spec("vllm") else "transformers"


def load_engine(model: str, engine: str, template_args: Json | None = None, **engine_args: Any) -> Engine:
    """The engine by name, with the model loaded.

    Args:
        template_args: arguments of the model's chat template.
        engine_args: see `rlhalt.sampling.vllm.VllmEngine` and `rlhalt.sampling.openai.OpenaiEngine`.
    """
    if engine == "transformers":
        from rlhalt.sampling.local import TransformersEngine

        return TransformersEngine(model, template_args)
    if engine == "vllm":
        if not importlib.util.find_spec("vllm"):
            raise InputError(
                "vLLM is not installed here: pip install 'rlhalt[vllm]', or use transformers", field="engine"
            )
        from rlhalt.sampling.vllm import VllmEngine

        return VllmEngine(model, template_args, **engine_args)
    if engine == "openai":
        if "address" not in engine_args:
            raise InputError("expected the address of the server that has the model, found none", field="address")
        from rlhalt.sampling.openai import OpenaiEngine

        return OpenaiEngine(model, template_args, **engine_args)
    raise InputError(f"expected transformers, vllm or openai, found '{engine}'", field="engine")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Responses that are drawn together.

    Attributes:
        wanted: for each response its prompt, and which of the k responses to it this is.
        keys: their keys.
    """

    wanted: Sequence[tuple[Prompt, int]]
    keys: Sequence[str]


class Sampler:
    """Draws batches of responses; loads its engine when it is made.

    Args:
        settings: how.
        described: the settings as rows tell them.
        load: the engine by model, name and arguments of the chat template, and `Settings.engine_args` by name.

    Raises:
        InputError: the model's folder holds other weights here than where the settings were described.
    """

    def __init__(self, settings: Settings, described: Json, load: Callable[..., Engine]) -> None:
        found = identity(settings.model)
        if found not in (settings.model, described["model"]):
            raise InputError(
                f"expected the weights of {described['model']} here too, found {found}; let all nodes see one folder",
                path=settings.model,
            )
        self._settings, self._described = settings, described
        self.engine = load(settings.model, settings.engine, settings.template_args, **settings.engine_args)

    def __call__(self, batch: Batch) -> Iterator[Response]:
        """The responses of a batch; equal batches give equal responses, in whatever order they are drawn."""
        completions = self.engine.complete(
            [[*self._settings.few_shot, *prompt.prompt] for prompt, _ in batch.wanted],
            temperature=self._settings.temperature,
            max_tokens=self._settings.max_tokens,
            seed=int(content_key(self._settings.seed, batch.keys), 16) % 2**31,
        )
        for (prompt, index), key, completion in zip(batch.wanted, batch.keys, completions, strict=True):
            yield Response(
                key=key,
                prompt_key=prompt.key,
                index=index,
                prompt=prompt.prompt,
                response=completion.text,
                reference=prompt.reference,
                domain=prompt.domain,
                split=prompt.split,
                finish_reason=completion.finish_reason,
                sampler={**self._described, **({"served": completion.model} if completion.model else {})},
                n_tokens=completion.n_tokens,
            )


def sample(
    prompts: Sequence[Prompt],
    settings: Settings,
    output: str | Path,
    load: Callable[..., Engine] = load_engine,
    cluster: Cluster | None = None,
) -> list[Response]:
    """Draw `settings.responses` responses to each prompt into a JSONL file; what is there already is kept.

    Batches are composed from all responses wanted, not from the missing ones, and each has a seed of its own, so that a
    run that was killed and run again, or that many workers shared, gives the same rows as one that was not. A changed
    reference, domain or split reaches the rows without drawing them again.

    Args:
        load: see `Sampler`; on a cluster it is called in each worker.
        cluster: where to draw them; here if not given.

    Raises:
        InputError: the output holds responses that were drawn with other settings or to other prompts, or another
            command writes it; two prompts with one key.
    """
    described = settings.described()
    _refuse_doubled(prompts)
    wanted = [(prompt, index) for index in range(settings.responses) for prompt in prompts]
    keys = [content_key(prompt.key, described, index) for prompt, index in wanted]
    config = {"sampler": described, "prompts": content_key([_carried(one) for one in prompts])}
    run = Run("sample", output, config=config)
    if run.finished:
        already_done(output)
        return list(read(output, Response))
    earlier = functools.partial(_earlier, described=described, output=Path(output))
    with (
        Journal(output, Response, zip(keys, (_carried(one) for one, _ in wanted), strict=True), earlier) as journal,
        run,
    ):
        for (prompt, _), key in zip(wanted, keys, strict=True):
            row = None if key in journal else journal.earlier(key)
            if row is not None and row.prompt == prompt.prompt:
                journal.add(_carrying(row, prompt))
        batches = _batches(wanted, keys, settings.batch_size)
        missing = [batch for batch in batches if any(key not in journal for key in batch.keys)]
        if cluster is None:
            drawn = _drawn(functools.partial(Sampler, settings, described, load), missing, settings.engine)
        else:
            drawn = cluster.each(functools.partial(Sampler, _anywhere(settings), described, load), missing)
            run.result(ray=dataclasses.asdict(cluster))
        total = sum(len(batch.keys) for batch in missing)
        for row in track(drawn, f"sample {Path(settings.model).name}", total):
            if row.key not in journal:
                journal.add(row)
        journal.finish()
        rows = list(read(output, Response))
        share = cut_off(rows)
        run.result(rows=len(rows), tokens=sum(row.n_tokens for row in rows), cut_off=share)
        if share > MOST_CUT_OFF:
            print(_cut_off_warning(output, share, settings.max_tokens), file=sys.stderr)
    return rows


def cut_off(rows: Sequence[Response]) -> float:
    """The share of responses that ran into the token limit; 0 for none."""
    return sum(row.finish_reason == "length" for row in rows) / max(len(rows), 1)


def _cut_off_warning(output: str | Path, share: float, max_tokens: int) -> str:
    return (
        f"rlhalt: warning: {output}: {share:.0%} of the responses were cut off at {max_tokens} tokens, and what they "
        "would have said is not judged; raise --max-tokens, or max_tokens of the recipe"
    )


def _refuse_doubled(prompts: Sequence[Prompt]) -> None:
    first: dict[str, int] = {}
    for row, prompt in enumerate(prompts, start=1):
        if (other := first.setdefault(prompt.key, row)) != row:
            raise doubled(prompt.key, other, row)


def _carried(row: Prompt | Response) -> str:
    """What a response has from its prompt, as a fingerprint."""
    return content_key(row.prompt, row.reference, row.domain, row.split)


def _carrying(row: Response, prompt: Prompt) -> Response:
    return dataclasses.replace(row, reference=prompt.reference, domain=prompt.domain, split=prompt.split)


def _earlier(row: Response, described: Json, output: Path) -> str:
    """What an earlier response has from its prompt; it must have been drawn with these settings."""
    # What is left out of a row is a setting too; the name that a server gives its model is not one.
    names = [*described, *(name for name in row.sampler if name not in described and name != "served")]
    other = [name for name in names if row.sampler.get(name) != described.get(name)]
    if other:
        found = ", ".join(f"{name} {row.sampler.get(name)!r} and not {described.get(name)!r}" for name in other)
        raise InputError(
            f"expected responses drawn with these settings, found some of other ones ({found}); choose another "
            "--output, or remove this file",
            path=output,
        )
    return _carried(row)


def _drawn(make: Callable[[], Sampler], batches: Sequence[Batch], engine: EngineName) -> Iterator[Response]:
    if not batches:
        return
    draw = make()
    if engine == "openai":
        from rlhalt.sampling.openai import drawn

        yield from drawn(draw, batches)
        return
    for batch in batches:
        yield from draw(batch)


def _anywhere(settings: Settings) -> Settings:
    """The settings for a process that runs in another folder."""
    # Told before a worker is started; and the embedded model is converted once, not by all at once.
    resolve_model(settings.model)
    folder = Path(settings.model)
    return dataclasses.replace(settings, model=str(folder.absolute())) if folder.is_dir() else settings


def _batches(wanted: Sequence[tuple[Prompt, int]], keys: Sequence[str], size: int) -> Iterator[Batch]:
    for start in range(0, len(wanted), size):
        yield Batch(wanted[start : start + size], keys[start : start + size])
