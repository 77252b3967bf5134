"""Reward specifications: `reward/<domain>/reward.yaml` → a scorer.

A domain of one's own is a folder with a reward.yaml. Where no built-in fragmenter or verifier fits, it names one of the
user's: by a dotted path (`my_package.checks:DoiVerifier`), or by the name under which an installed package offers it as
an entry point of the group `rlhalt.fragmenters` or `rlhalt.verifiers`. A fragmenter is a function from text to
fragments; a verifier is a class that is called with the keys and values of `options`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlhalt.credit import Halting, check_threshold
from rlhalt.errors import InputError
from rlhalt.records import Fragment, Json
from rlhalt.scoring import Scorer
from rlhalt.settings import read_fields
from rlhalt.verifiers import Verifier

if TYPE_CHECKING:
    from rlhalt.llm import Client

# In a checkout the specifications lie at the top level; an installed wheel carries them inside the package.
_FOLDERS = (Path(__file__).parents[2] / "reward", Path(__file__).parent / "specifications")
FRAGMENTERS = ("sentences", "steps", "code", "claims")
VERIFIERS = ("knowledge", "maths", "code", "judge")
_FILES = ("prompt", "claims")
# What each built-in cannot do without.
_NEEDS = {"knowledge": ("table",), "judge": ("prompt", "fields"), "claims": ("claims",)}


@dataclasses.dataclass(frozen=True)
class Specification:
    """One domain's reward, as its `reward.yaml` declares it.

    Attributes:
        domain: its name.
        fragmenter: how responses are split: `sentences`, `steps`, `code`, `claims`, or one of the user's own.
        verifier: what judges the fragments: `knowledge`, `maths`, `code`, `judge`, or one of the user's own.
        halting: `independent` (a doubtful fragment is left out, the answer goes on) or `causal` (everything after the
            first error rests on it: halt there).
        threshold: τ where none is given.
        max_failure_rate: share of failed fragments above which a run stops.
        promised_agreement, promised_decided: what the audit against human-checked fragments must reach; none where
            there is no audit.
        table: the knowledge that `knowledge` checks against; `countries` or `elements`.
        prompt: the judge's instructions, a text file in the folder.
        fields: what of a reference the judge sees.
        claims: the instructions of the `claims` fragmenter, a text file in the folder.
        options: what the user's own verifier is called with.
    """

    domain: str
    fragmenter: str
    verifier: str
    halting: Halting
    threshold: float
    max_failure_rate: float
    promised_agreement: float | None = None
    promised_decided: float | None = None
    table: Literal["countries", "elements"] | None = None
    prompt: str | None = None
    fields: list[str] | None = None
    claims: str | None = None
    options: Json | None = None

    @property
    def asks_a_model(self) -> bool:
        """Whether scoring asks a language model."""
        return self.verifier == "judge" or self.fragmenter == "claims"

    def scorer(self, client: Client | None = None, *, unsafe: bool = False) -> Scorer:
        """The scorer this specification declares.

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
        used = client if self.asks_a_model else None
        return Scorer(
            self._fragmenter(client),
            self._verifier(client, unsafe),
            self.max_failure_rate,
            # Twice as many as can be asked about at once: the next question is ready when a slot is free.
            workers=2 * used.limits.concurrency if used else (os.cpu_count() or 1) if self.verifier == "code" else 1,
            client=used,
            halting=self.halting,
        )

    def _fragmenter(self, client: Client | None) -> Callable[[str], list[Fragment]]:
        if self.fragmenter == "claims":
            from rlhalt.fragments.claims import ClaimsFragmenter

            assert client is not None
            assert self.claims is not None
            return ClaimsFragmenter(client, self.claims)
        if self.fragmenter in FRAGMENTERS:
            found: Callable[[str], list[Fragment]] = _attribute(f"rlhalt.fragments.{self.fragmenter}:{self.fragmenter}")
            return found
        own: Callable[[str], list[Fragment]] = _own("fragmenter", self.fragmenter)
        return own

    def _verifier(self, client: Client | None, unsafe: bool) -> Verifier:
        if self.verifier == "knowledge":
            from rlhalt.verifiers.knowledge import KnowledgeVerifier

            return KnowledgeVerifier(_attribute(f"rlhalt.tasks.{self.table}:facts")())
        if self.verifier == "maths":
            from rlhalt.verifiers.maths import MathsVerifier

            return MathsVerifier()
        if self.verifier == "code":
            from rlhalt.verifiers.code import CodeVerifier

            return CodeVerifier(unsafe=unsafe)
        if self.verifier == "judge":
            from rlhalt.verifiers.judge import JudgeVerifier

            assert client is not None
            assert self.prompt is not None
            assert self.fields is not None
            return JudgeVerifier(client, self.prompt, self.fields)
        made: Verifier = _own("verifier", self.verifier)(**(self.options or {}))
        return made


def _attribute(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _offered(kind: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {one.name: one for one in importlib.metadata.entry_points(group=f"rlhalt.{kind}s")}


def _check_name(kind: str, name: str, known: tuple[str, ...], path: Path) -> None:
    names = [*known, *sorted(_offered(kind))]
    if name not in names and ":" not in name:
        raise InputError(
            f"unknown {kind} {name!r}; known are {', '.join(names)}, or a dotted path as my_package.my_module:Name",
            path=path,
            field=kind,
        )


def _own(kind: str, name: str) -> Any:
    """A fragmenter or verifier that is not rlhalt's, by entry point or dotted path."""
    offered = _offered(kind)
    try:
        return offered[name].load() if name in offered else _attribute(name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"expected {name!r} to be importable, found: {error}", field=kind) from None


def load_specification(name: str | Path) -> Specification:
    """A specification by domain name (`countries`) or by folder.

    Raises:
        InputError: an unknown name (the known ones are listed), a missing, misspelt or wrong key.
    """
    folder = next((path for path in (Path(name), *(base / str(name) for base in _FOLDERS)) if _is_spec(path)), None)
    if folder is None:
        known = sorted({path.name for base in _FOLDERS if base.is_dir() for path in base.iterdir() if _is_spec(path)})
        raise InputError(
            f"expected a reward specification ({', '.join(known)}, or a folder with reward.yaml)", path=name
        )
    path = folder / "reward.yaml"
    data = read_fields(path, Specification)
    _check_name("fragmenter", data["fragmenter"], FRAGMENTERS, path)
    _check_name("verifier", data["verifier"], VERIFIERS, path)
    for one in (data["fragmenter"], data["verifier"]):
        for key in _NEEDS.get(one, ()):
            if data.get(key) is None:
                raise InputError(f"expected this key, which {one} needs, found none", path=path, field=key)
    for key in _FILES:
        if key in data:
            data[key] = str(folder / data[key])
    check_threshold(data["threshold"])
    return Specification(**data)


def scorer_elsewhere(
    name: str | Path, client: Callable[[], Client] | None = None, *, unsafe: bool = False
) -> Callable[[], Scorer]:
    """What makes a domain's scorer in another process: clients and sandboxes cannot be sent, what this returns can.

    Args:
        name: see `load_specification`; a folder must lie at the same place there.
        client: makes what asks the model that judges.
        unsafe: see `Specification.scorer`.
    """
    place = str(Path(name).absolute()) if _is_spec(Path(name)) else str(name)
    return functools.partial(_made, place, client, unsafe)


def _made(name: str, client: Callable[[], Client] | None, unsafe: bool) -> Scorer:
    return load_specification(name).scorer(client() if client else None, unsafe=unsafe)


def _is_spec(folder: Path) -> bool:
    return (folder / "reward.yaml").is_file()
