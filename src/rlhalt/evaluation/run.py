"""Evaluate one policy: greedy and sampled responses to held-out prompts, scored, with the policy's confidences.

The output folder holds everything that `rlhalt compare` reads:

    greedy.jsonl sampled.jsonl   responses as they were generated
    scored.jsonl                 both, cut where a calibration is given, scored
    confidence.jsonl             how sure the policy was of each fragment
    continuation.jsonl           what the base model would have said next where a greedy response ended
    run.json                     name, role, τ, seed, configuration, and the models that its training started from
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from rlhalt.chat.threshold_prompt import with_threshold, without_threshold
from rlhalt.contamination import refuse_leakage
from rlhalt.cut import calibration as calibrations
from rlhalt.cut.calibration import Calibration
from rlhalt.cut.respond import cut
from rlhalt.decoding import methods as decodings
from rlhalt.decoding.setup import Decoding, Setup
from rlhalt.errors import InputError
from rlhalt.evaluation.roles import Role, role_of, started_from
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run, already_done
from rlhalt.files.text import check_folder
from rlhalt.fragments.halting_phrase import named
from rlhalt.models.names import identity, turns
from rlhalt.models.trained_threshold import checked_threshold, hears_threshold
from rlhalt.records import Continuation, Json, Message, Prompt, Scored, file_hash, read, write
from rlhalt.running.threads import as_done
from rlhalt.sampling import Completion, EngineName, Settings, cut_off, load_engine, sample
from rlhalt.score_file import score_file
from rlhalt.scoring import Scorer
from rlhalt.uncertainty.token_probability import confidences

# One fact takes about 12 tokens; what is cut off here is still judged by its beginning as unverifiable, not as right.
NEXT_FRAGMENT_TOKENS = 32


@dataclasses.dataclass(frozen=True)
class Policy:
    """What is evaluated, and how it is shown.

    Attributes:
        name: `base`, `SFT`, `DPO`, ...; evaluations of one name and τ with several seeds are pooled.
        model: a name or folder, see `rlhalt.models.names.resolve_model`.
        threshold: the τ it was trained at, if any.
        seed: the seed it was trained with.
        few_shot: examples it is asked with; none for a trained policy.
        threshold_in_prompt: whether its threshold is stated in each prompt, see `rlhalt.chat.threshold_prompt`.
        template_args: arguments of its chat template, see `rlhalt.sampling.Settings`.
        role: what it is in a comparison; None to take it from the model's training, see `rlhalt.evaluation.roles`.
    """

    name: str
    model: str
    threshold: float | None = None
    seed: int = 0
    few_shot: tuple[Message, ...] = ()
    threshold_in_prompt: bool = False
    template_args: Json = dataclasses.field(default_factory=dict)
    role: Role | None = None

    def asked(self, prompt: Prompt) -> Prompt:
        """A prompt as this policy is asked it; its key stays, it is the same question.

        Raises:
            InputError: a threshold in the prompt, and no threshold.
        """
        if not self.threshold_in_prompt:
            return prompt
        if self.threshold is None:
            raise InputError("expected the threshold that the prompts state, found none", field="threshold")
        return dataclasses.replace(prompt, prompt=with_threshold(prompt.prompt, self.threshold))


def evaluate(
    policy: Policy,
    prompts: Sequence[Prompt],
    scorer: Scorer,
    output: str | Path,
    *,
    base: Policy | None = None,
    samples: int = 2,
    temperature: float = 0.7,
    engine: EngineName = "transformers",
    max_tokens: int = 64,
    calibration: str | Path | None = None,
    decoding: Decoding | None = None,
) -> Path:
    """Write the evaluation folder of a policy; a folder that is complete for the same configuration is left alone.

    Args:
        base: the pretrained model, asked to go on where the policy ended (`continuation.jsonl`); None for itself.
        samples: responses a prompt at `temperature`, beside the greedy one.
        max_tokens: the longest response, in tokens; what is cut off is still judged by its beginning.
        calibration: a file of `rlhalt calibrate`. Each response is cut where the probability is below the policy's
            threshold, see `rlhalt.cut`, and the policy is called `NAME cut`.
        decoding: how tokens or responses are chosen, see `rlhalt.decoding`; the policy is called `NAME DECODING`. The
            confidences and continuations are of the models as they are.

    Raises:
        InputError, TooManyFailures: see `sample`, `score_file` and `rlhalt.decoding.methods.check`; a calibration of
            something else, or no threshold; a decoding and a calibration, or another engine than `transformers`.
    """
    folder = Path(output)
    check_folder(folder)
    fitted = None
    if decoding is not None:
        _check_decoding(decoding, engine, calibration)
    if calibration is not None:
        fitted = _calibrated(policy, scorer, Path(calibration), prompts, [0.0, temperature] if samples else [0.0])
        # The pretrained model, cut, is compared with the pretrained model as it is.
        role = policy.role or role_of(policy.model, policy.name)
        policy = dataclasses.replace(policy, name=f"{policy.name} cut", role="trained" if role == "base" else role)
    elif not policy.threshold_in_prompt:
        policy = dataclasses.replace(policy, threshold=checked_threshold(policy.model, policy.threshold))
    elif not hears_threshold(policy.model):
        print(
            f"warning: {policy.model} was not trained on prompts that state a threshold, as far as its run.json says; "
            "it may ignore the one in its prompt",
            file=sys.stderr,
        )
    policy = dataclasses.replace(policy, role=policy.role or role_of(policy.model, policy.name))
    setup, origins, decoded = None, started_from(policy.model), {}
    if decoding is not None:
        setup = Setup(decoding, scorer, policy.threshold or 0.5, policy.few_shot, policy.template_args)
        decodings.check(setup, prompts)
        decoded = decodings.described(setup)
        # The pretrained model, decoded so, is compared with the pretrained model as it is; a trained one likewise.
        origins = [identity(policy.model), *origins]
        name = f"{policy.name} {decoding.name}"
        policy = dataclasses.replace(policy, name=name, role="trained" if policy.role == "base" else policy.role)
    config = {
        **dataclasses.asdict(policy),
        "model": identity(policy.model),
        "samples": samples,
        "temperature": temperature,
        "engine": engine,
        "max_tokens": max_tokens,
        "fragmenter": scorer.fragmenter,
        "verifier": scorer.verifier.name,
        "scorer": scorer.fingerprint,
        "halting": scorer.halting,
        **named(scorer.phrase),
        "budget": dataclasses.asdict(scorer.client.budget) if scorer.client else None,
        "prompts": [prompt.key for prompt in prompts],
        "base": _continuing(base) if base else None,
    }
    if calibration is not None:
        config["cut"] = file_hash(calibration)
    if decoded:
        config["decoding"] = decoded
    run = Run("evaluate", folder, config=config)
    if run.finished:
        already_done(folder)
        return folder
    refuse_leakage(policy.model, prompts)
    for learnt in getattr(scorer.verifier, "reward_models", ()):
        # What judges has learnt the verdicts on its training prompts.
        refuse_leakage(learnt, prompts)
    # Both models are needed to the end: what one of them lacks is told before the first response is drawn.
    for one in (policy, *([base] if base else [])):
        turns(one.model, one.template_args)
    scorer.check_judge()
    with locked(folder), run:
        asked = [policy.asked(one) for one in prompts]
        greedy = Settings(
            policy.model,
            engine,
            temperature=0.0,
            max_tokens=max_tokens,
            few_shot=policy.few_shot,
            template_args=policy.template_args,
            decoding=decoded,
        )
        settings = {"greedy": greedy}
        if samples:
            settings["sampled"] = dataclasses.replace(greedy, temperature=temperature, responses=samples)
        draw = sample if setup is None else functools.partial(sample, load=decodings.loader(setup))
        responses = {name: draw(asked, its, folder / f"{name}.jsonl") for name, its in settings.items()}
        del draw  # and with it the models of a decoding
        if fitted is not None:
            assert policy.threshold is not None
            cutting = functools.partial(cut, few_shot=policy.few_shot, template_args=policy.template_args)
            responses = {
                name: cutting(rows, policy.model, scorer, fitted, settings[name].temperature, policy.threshold)
                for name, rows in responses.items()
            }
        score_file([one for rows in responses.values() for one in rows], scorer, folder / "scored.jsonl")
        scored = list(read(folder / "scored.jsonl", Scored))
        sure = confidences(policy.model, scored, policy.few_shot, policy.template_args, scorer.phrase)
        write(folder / "confidence.jsonl", sure)
        if base is not None:
            ended = [row for row in scored if row.sampler["temperature"] == 0]
            write(folder / "continuation.jsonl", continuations(base, ended, scorer, engine))
        run.result(
            name=policy.name, role=policy.role, threshold=policy.threshold, seed=policy.seed, model=policy.model,
            started_from=origins, few_shot=bool(policy.few_shot), halting=scorer.halting,
            rows=len(scored),
            cut_off={name: cut_off(rows) for name, rows in responses.items()},
        )  # fmt: skip
    return folder


def _check_decoding(decoding: Decoding, engine: EngineName, calibration: str | Path | None) -> None:
    if engine != "transformers":
        raise InputError(f"expected the engine transformers with a decoding, found {engine}", field="--engine")
    if calibration is not None:
        raise InputError(
            f"expected one of the two: a cut, or the decoding {decoding.name}. A calibration is of responses that were "
            "drawn without it; `rlhalt compare` cuts every model by maps of its own responses",
            field="--cut",
        )


def _calibrated(
    policy: Policy, scorer: Scorer, path: Path, prompts: Sequence[Prompt], temperatures: Sequence[float]
) -> Calibration:
    """The calibration to cut by.

    Raises:
        InputError: no threshold, a calibration of something else, or one that was fitted on a prompt to be evaluated.
    """
    if policy.threshold is None:
        raise InputError("expected the threshold to cut at, found none", field="threshold")
    if policy.threshold_in_prompt:
        raise InputError("expected one of the two: a cut, or the threshold in the prompt", field="threshold_in_prompt")
    found = calibrations.read(path)
    found.check(policy.model, scorer, few_shot=policy.few_shot, template_args=policy.template_args, path=path)
    for one in temperatures:
        found.at(one)
    if seen := {one.key for one in prompts} & set(found.prompts):
        raise InputError(
            f"expected prompts that the calibration was not fitted on, found {len(seen)} that it was; calibrate on "
            "others",
            path=path,
            field="prompts",
        )
    if found.reward_model:
        refuse_leakage(found.reward_model, prompts)
    return found


def _continuing(base: Policy) -> Json:
    """What decides the continuations: not the role of the model that makes them."""
    return {name: value for name, value in dataclasses.asdict(base).items() if name != "role"}


def continuations(base: Policy, rows: Sequence[Scored], scorer: Scorer, engine: EngineName) -> list[Continuation]:
    """The base model's next fragment after each response, the halting phrase taken off, and its verdict.

    It is judged together with the response it follows, so that a repetition is seen as one.
    """
    spoken = [_without_halt(row) for row in rows]
    chats = [
        [*base.few_shot, *without_threshold(row.prompt), *([{"role": "assistant", "content": text}] if text else [])]
        for row, text in zip(rows, spoken, strict=True)
    ]
    completed = load_engine(base.model, engine, base.template_args).complete(
        chats, temperature=0.0, max_tokens=NEXT_FRAGMENT_TOKENS, seed=0
    )

    def judged(job: tuple[Scored, str, Completion]) -> Continuation:
        row, text, completion = job
        whole = text + completion.text
        # A judge is not paid twice for the response itself.
        fragments = scorer.judge(whole, row.reference, row.fragments, row.prompt)
        following = [one for one in fragments if one.start >= len(text)]
        if following and following[0].label != "halt" and scorer.phrase not in following[0].text:
            return Continuation(row.key, following[0].text, following[0].label)
        return Continuation(row.key, "", None)

    jobs = list(zip(rows, spoken, completed, strict=True))
    if scorer.workers == 1:
        return [judged(one) for one in jobs]
    abandon = scorer.client.close if scorer.client is not None else lambda: None
    found = {one.key: one for one in as_done(judged, jobs, scorer.workers, abandon)}
    return [found[row.key] for row in rows]


def _without_halt(row: Scored) -> str:
    halts = [one.start for one in row.fragments if one.label == "halt"]
    return row.response[: halts[0]].rstrip() if halts else row.response.rstrip()
