"""Domain: `domain.yaml` and the domain's code, as one object.

A domain of one's own is a folder with a domain.yaml. What it asks is a class (`rlhalt.domains.task.Task`), what splits
and judges is that class too, or is named: `verifier: judge`, or a dotted path of the user's own
(`my_package.checks:DoiVerifier`), or the name under which an installed package offers it as an entry point of the group
`rlhalt.fragmenters` or `rlhalt.verifiers`. A fragmenter is a function from text to fragments; a verifier is a class
that is called with the keys and values of `options`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rlhalt.domains import files, own_code
from rlhalt.domains.task import AnySplit, Task
from rlhalt.errors import InputError, near
from rlhalt.files.strict_json import Wrong
from rlhalt.files.strict_yaml import read_fields
from rlhalt.fragments.halting_phrase import normal_form
from rlhalt.fragments.languages import ENGLISH, SentenceSplitter
from rlhalt.records import HALT_PHRASE, Fragment, Json, Message, Prompt, content_key
from rlhalt.rewards import Halting, check_threshold
from rlhalt.running.packages import Packages, require
from rlhalt.scoring import NoVerifier, Scorer
from rlhalt.verifiers import Verifier

if TYPE_CHECKING:
    from rlhalt.llm import Client

# In a checkout the folder is at the top level; an installed wheel carries it inside the package.
_FOLDERS = (Path(__file__).parents[3] / "reward", Path(__file__).parents[1] / "reward")
FRAGMENTERS = ("sentences", "steps", "code", "claims")
VERIFIERS = ("maths", "code", "judge", "model")
FILE, EXAMPLES = "domain.yaml", "examples.jsonl"
_EARLIER = "reward" + ".yaml"
T = TypeVar("T")
_FILES = ("prompt", "claims", "reward_model")
_BY_LANGUAGE = ("sentences", "claims")
SECONDS = 60.0  # for a response, unless domain.yaml says otherwise; plenty for 100,000 characters on a busy machine
# What each built-in cannot do without.
_NEEDS = {"judge": ("prompt", "fields"), "claims": ("claims",), "model": ("reward_model",)}
_PACKAGES = {"maths": Packages(("math_verify", "mpmath"), 'pip install "rlhalt[maths]"')}


@dataclasses.dataclass(frozen=True)
class Domain:
    """One domain: what is asked, how answers are split, what judges them, and what the verdicts count for.

    >>> countries = load_domain("countries")  # pip install "rlhalt[countries]"
    >>> [one.label for one in countries.scorer().judge("Its capital is Nairobi.", {"subject": "Kenya"})]
    ['correct']

    Attributes:
        domain: its name.
        folder: where its domain.yaml lies.
        task: what it asks, see `rlhalt.domains.task.Task`: a dotted path, or `domain.py:Name` for a file in the folder;
            None for a domain whose prompts and references come from files alone.
        fragmenter: how responses are split: `sentences`, `steps`, `code`, `claims`, or one of the user's own; None
            where the task splits.
        verifier: what judges the fragments: `maths`, `code`, `judge`, `model` (a trained reward model), or one of the
            user's own; None where the task has a verifier.
        halting: `independent` (a doubtful fragment is left out, the answer goes on) or `causal` (everything after the
            first error rests on it: halt there).
        threshold: τ where none is given.
        max_failure_rate: share of failed fragments above which a run stops.
        promised_agreement, promised_decided: what the audit against human-checked fragments must reach; none where
            there is no audit.
        prompt: the judge's instructions, a text file in the folder.
        fields: what of a reference the judge sees.
        reward_model: the folder of the reward model that judges (`model`), seen from the domain's folder; of several
            the least probability counts.
        claims: the instructions of the `claims` fragmenter, a text file in the folder.
        options: what the user's own verifier is called with.
        seconds_per_response: how long a response may take to be split and verified before its fragments fail, see
            `rlhalt.scoring.Scorer`; `SECONDS` where it is not given, and no limit where several are judged at
            once: by a language model, by a reward model, or by running programs.
        language: of the responses, a code of ISO 639; `sentences` and `claims` split by its rules, see
            `rlhalt.fragments.languages`.
        halting_phrase: what a response says in place of what is not known.
        packages: the Python packages that its code imports, beside those that rlhalt itself needs.
        install: the command that brings them.
    """

    domain: str
    halting: Halting
    threshold: float
    folder: Path
    max_failure_rate: float = 0.02
    task: str | None = None
    fragmenter: str | None = None
    verifier: str | None = None
    promised_agreement: float | None = None
    promised_decided: float | None = None
    prompt: str | None = None
    fields: list[str] | None = None
    reward_model: str | list[str] | None = None
    claims: str | None = None
    options: Json | None = None
    seconds_per_response: float | None = None
    language: str = ENGLISH
    halting_phrase: str = HALT_PHRASE
    packages: list[str] | None = None
    install: str | None = None

    @functools.cached_property
    def code(self) -> Task:
        """The domain's own code; the defaults of `Task` where it has none.

        Raises:
            InputError: `task` names nothing that can be loaded, or no `Task`.
        """
        if self.task is None:
            return Task()
        found = own_code.loaded("task", self.task, self.folder)
        if not (isinstance(found, type) and issubclass(found, Task)):
            raise InputError(
                f"expected a class made from rlhalt.domains.Task, found {found!r}", path=self.folder, field="task"
            )
        return own_code.made("task", self.task, found, None, self.folder)

    def prompts(self, file: str | Path | None = None, split: AnySplit = "all") -> list[Prompt]:
        """Prompts with their references, in order.

        Args:
            file: where they are read from; None for those that come with the domain. A file is of a form that the
                domain knows, or of rlhalt's own (`rlhalt.domains.files`).
            split: `train`, `heldout`, or both. A file that does not say its split, as GSM8K's, is taken whole.

        Raises:
            InputError: no prompts come with the domain and no file is given, or the file is none.
        """
        found = self.own_prompts() if file is None else self._from_file(Path(file), split)
        if found is None:
            raise InputError(
                f"no prompts come with the domain '{self.domain}': give a file of them (--file prompts.jsonl)",
                path=self.folder,
            )
        told = [self._with_desired(one) for one in found]
        return [one for one in told if split in (one.split, "all")]

    def own_prompts(self) -> list[Prompt] | None:
        """The prompts that come with the domain; None where it has none.

        Raises:
            InputError: the task's code breaks, or returns something else.
        """
        found = own_code.run(self.code.own_prompts, "prompts of the task", self.folder, "task")
        for row, one in enumerate(found or (), start=1):
            if not isinstance(one, Prompt):
                raise InputError(f"expected a Prompt, found {one!r} (prompt {row})", path=self.folder, field="task")
            try:
                one.check()
            except Wrong as wrong:
                message = f"{wrong.field}: {wrong.message} (prompt {row} of the task)"
                raise InputError(message, path=self.folder, field="task") from None
        return found

    def _from_file(self, file: Path, split: AnySplit) -> list[Prompt]:
        found = self.code.file_prompts(file, split)
        return files.prompts(file, self.domain) if found is None else found

    def _with_desired(self, prompt: Prompt) -> Prompt:
        desired = prompt.reference.get("n_desired", self.code.n_desired(prompt.reference))
        if desired is None:
            return prompt
        return dataclasses.replace(prompt, reference={**prompt.reference, "n_desired": desired})

    def few_shot(self) -> tuple[Message, ...]:
        """Examples to put before a prompt, as chat messages: question, answer, question, answer, ...

        They are those of `examples.jsonl` in the folder, JSON lines of prompt and response, or else the task's.

        Raises:
            InputError: the domain has none.
        """
        path = self.folder / EXAMPLES
        found = files.examples(path) if path.is_file() else self.code.few_shot()
        if not found:
            raise InputError(
                f"expected examples of the domain '{self.domain}', found none; write them there, JSON lines of prompt "
                "and response, or leave out --few-shot",
                path=path,
            )
        return tuple(found)

    @property
    def has_examples(self) -> bool:
        """Whether there are few-shot examples."""
        return (self.folder / EXAMPLES).is_file() or bool(self.code.few_shot())

    @property
    def asks_a_model(self) -> bool:
        """Whether scoring asks a language model."""
        return self.verifier == "judge" or self.fragmenter == "claims"

    def scorer(self, client: Client | None = None, *, unsafe: bool = False) -> Scorer:
        """The scorer this domain declares.

        Args:
            client: asks the model that judges; needed where `asks_a_model`.
            unsafe: run generated code without a sandbox where none works here.

        Raises:
            InputError: a client missing, or a fragmenter or verifier that is not there.
        """
        if self.asks_a_model and client is None:
            raise InputError(
                f"the domain '{self.domain}' is judged by a language model: give its address and name "
                "(--judge-address http://…/v1 --judge-model NAME)"
            )
        # Also where domain.yaml names fragmenter and verifier: a task that cannot be loaded is an error of today.
        _ = self.code
        used = client if self.asks_a_model else None
        limited = self.asks_a_model or self.verifier in ("code", "model")
        made = Scorer(
            self._fragmenter(client),
            self._verifier(client, unsafe),
            self.max_failure_rate,
            workers=self._workers(used),
            client=used,
            halting=self.halting,
            phrase=self.halting_phrase,
            seconds=SECONDS if self.seconds_per_response is None and not limited else self.seconds_per_response,
            domain=self.domain,
            settings=content_key(self.options),
        )
        if self.verifier == "model":
            from rlhalt.reward_model.folder import read_description

            for one in self._reward_models:
                read_description(one).refuse_others(made, one)
        return made

    @property
    def _reward_models(self) -> list[str]:
        assert self.reward_model is not None
        return [self.reward_model] if isinstance(self.reward_model, str) else self.reward_model

    def _workers(self, client: Client | None) -> int:
        if client is not None:
            # Twice as many as can be asked about at once: the next question is ready when a slot is free.
            return 2 * client.limits.concurrency
        if self.verifier == "model":
            from rlhalt.verifiers.model import WORKERS

            return WORKERS
        return (os.cpu_count() or 1) if self.verifier == "code" else 1

    def splitter(self) -> Scorer:
        """A scorer that splits responses and verifies none, for answers that have no reference.

        Raises:
            InputError: the fragmenter asks a language model.
        """
        if self.fragmenter == "claims":
            raise InputError(
                f"expected a domain that splits by rules, but a language model splits the responses of '{self.domain}' "
                "into claims that are not in the text: they cannot be left out of it",
                path=self.folder,
                field="fragmenter",
            )
        return Scorer(
            self._fragmenter(None), NoVerifier(), halting=self.halting, phrase=self.halting_phrase, domain=self.domain
        )

    def _fragmenter(self, client: Client | None) -> Callable[[str], list[Fragment]]:
        if self.fragmenter is None:
            return _given(self.code.fragment, "fragmenter", self.folder)
        if self.fragmenter == "claims":
            from rlhalt.fragments.claims import ClaimsFragmenter

            assert client is not None
            assert self.claims is not None
            return ClaimsFragmenter(client, self.claims, SentenceSplitter(self.language, self.halting_phrase))
        if self.fragmenter == "sentences":
            return SentenceSplitter(self.language, self.halting_phrase)
        if self.fragmenter in FRAGMENTERS:
            found = getattr(importlib.import_module(f"rlhalt.fragments.{self.fragmenter}"), self.fragmenter)
            # The name stays that of the function.
            return functools.update_wrapper(functools.partial(found, phrase=self.halting_phrase), found)
        own: Callable[[str], list[Fragment]] = own_code.loaded("fragmenter", self.fragmenter, self.folder)
        if not callable(own):
            raise InputError(
                f"expected a function, found {self.fragmenter!r}: {own!r}", path=self.folder, field="fragmenter"
            )
        return own

    def _verifier(self, client: Client | None, unsafe: bool) -> Verifier:
        if self.verifier is None:
            return _given(self.code.verifier(), "verifier", self.folder)
        if self.verifier == "maths":
            from rlhalt.verifiers.maths import MathsVerifier

            return MathsVerifier(phrase=self.halting_phrase)
        if self.verifier == "code":
            from rlhalt.verifiers.code import CodeVerifier

            return CodeVerifier(unsafe=unsafe, phrase=self.halting_phrase)
        if self.verifier == "judge":
            from rlhalt.verifiers.judge import JudgeVerifier

            assert client is not None
            assert self.prompt is not None
            assert self.fields is not None
            return JudgeVerifier(client, self.prompt, self.fields)
        if self.verifier == "model":
            from rlhalt.verifiers.model import ModelVerifier

            return ModelVerifier(self._reward_models, self.threshold)
        call = own_code.loaded("verifier", self.verifier, self.folder)
        made: Verifier = own_code.made("verifier", self.verifier, call, self.options, self.folder)
        if not (isinstance(getattr(made, "name", None), str) and callable(getattr(made, "verify", None))):
            raise InputError(
                f"expected a verifier with a name and a method verify, found {made!r}",
                path=self.folder,
                field="verifier",
            )
        return made


def _given(found: T | None, kind: str, folder: Path) -> T:
    if found is None:
        raise InputError(f"expected a {kind}, found none in domain.yaml and none in the task", path=folder, field=kind)
    return found


def _check_name(kind: str, name: str, known: tuple[str, ...], path: Path) -> None:
    if name in known or ":" in name:
        return
    names = [*known, *sorted(own_code.offered(kind))]
    if name not in names:
        raise InputError(
            f"unknown {kind} {name!r}; known are {', '.join(names)}, or a dotted path as my_package.my_module:Name",
            path=path,
            field=kind,
        )


def domain_names() -> list[str]:
    """The domains that come with rlhalt, and those of installed packages."""
    built_in = {path.name for base in _FOLDERS if base.is_dir() for path in base.iterdir() if _is_domain(path)}
    return sorted(built_in | set(own_code.offered("domain")))


def load_domain(name: str | Path) -> Domain:
    """A domain by its name (`countries`) or by its folder, ready to be asked and to judge.

    Raises:
        InputError: see `read_domain`; or a package that its code or its verifier needs is not installed.
    """
    domain = read_domain(name)
    require(f"the domain '{domain.domain}'", *needed(domain))
    return domain


def needed(domain: Domain) -> list[Packages]:
    """The packages that a domain needs beside those of rlhalt itself."""
    own = [Packages(tuple(domain.packages), domain.install)] if domain.packages else []
    return [*own, *([_PACKAGES[domain.verifier]] if domain.verifier in _PACKAGES else [])]


def read_domain(name: str | Path) -> Domain:
    """A domain for its numbers and promises alone: its τ, its halting phrase. Its packages need not be installed.

    Raises:
        InputError: an unknown name (the known ones are listed); missing, misspelt or wrong keys.

    >>> domain = read_domain("countries")
    >>> domain.fragmenter, domain.halting, domain.threshold
    ('sentences', 'independent', 0.5)
    """
    path = _folder(name) / FILE
    data = read_fields(path, Domain, given=("folder",))
    missing = []
    for kind, known, own in (("fragmenter", FRAGMENTERS, "fragment"), ("verifier", VERIFIERS, "verifier")):
        if data.get(kind) is not None:
            _check_name(kind, data[kind], known, path)
            missing += [f"{key} (of {data[kind]})" for key in _NEEDS.get(data[kind], ()) if data.get(key) is None]
        elif data.get("task") is None:
            missing.append(f"{kind} (or a task with its own {own})")
    if missing:
        raise InputError(f"expected these keys, found none: {', '.join(missing)}", path=path)
    for key in _FILES:
        if key in data:
            found = data[key]
            data[key] = (
                [str(path.parent / one) for one in found] if isinstance(found, list) else str(path.parent / found)
            )
    _check_values(data, path)
    if "halting_phrase" in data:
        # A block of YAML ends with a line end, which would be trained on.
        data["halting_phrase"] = data["halting_phrase"].strip()
    return Domain(**data, folder=path.parent)


def _folder(name: str | Path) -> Path:
    for path in (Path(name), *(base / str(name) for base in _FOLDERS)):
        if _is_domain(path):
            return path
    offered = own_code.offered("domain").get(str(name))
    if offered is not None:
        module = importlib.import_module(offered.module)
        return Path(str(module.__file__)).parent
    if (Path(name) / _EARLIER).is_file():
        raise InputError(f"expected {FILE}, found {_EARLIER}, its earlier name; rename it", path=name)
    names = domain_names()
    raise InputError(
        f"expected a domain ({', '.join(names)}) or a folder with {FILE}, found {str(name)!r}{near(name, names)}",
        path=name,
    )


def _check_values(data: Json, path: Path) -> None:
    if not data["domain"].strip():
        raise InputError("expected a name, found an empty one", path=path, field="domain")
    try:
        check_threshold(data["threshold"])
    except InputError as error:
        raise InputError(error.message, path=path, field=error.field) from None
    for key in ("max_failure_rate", "promised_agreement", "promised_decided"):
        if data.get(key) is not None and not 0 <= data[key] <= 1:
            raise InputError(f"expected a share from 0 to 1, found {data[key]:g}", path=path, field=key)
    if not normal_form(data.get("halting_phrase", HALT_PHRASE)):
        raise InputError("expected a phrase with a letter or digit", path=path, field="halting_phrase")
    if data.get("language", ENGLISH) != ENGLISH and data.get("fragmenter") not in _BY_LANGUAGE:
        raise InputError(
            f"only {' and '.join(_BY_LANGUAGE)} split by the rules of a language, found {data.get('fragmenter')}",
            path=path,
            field="language",
        )
    if data.get("reward_model") == []:
        raise InputError("expected at least one folder, found none", path=path, field="reward_model")
    seconds = data.get("seconds_per_response")
    if seconds is not None and seconds <= 0:
        raise InputError("expected more than 0 seconds", path=path, field="seconds_per_response")


def scorer_elsewhere(
    name: str | Path, client: Callable[[], Client] | None = None, *, unsafe: bool = False
) -> Callable[[], Scorer]:
    """What makes a domain's scorer in another process: clients and sandboxes cannot be sent, what this returns can.

    Args:
        name: see `load_domain`; a folder must lie at the same place there.
        client: makes what asks the model that judges.
        unsafe: see `Domain.scorer`.
    """
    place = str(Path(name).absolute()) if _is_domain(Path(name)) else str(name)
    return functools.partial(_made, place, client, unsafe)


def _made(name: str, client: Callable[[], Client] | None, unsafe: bool) -> Scorer:
    return load_domain(name).scorer(client() if client else None, unsafe=unsafe)


def _is_domain(folder: Path) -> bool:
    return (folder / FILE).is_file()
