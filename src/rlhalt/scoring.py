"""Fragment + verify: a response becomes a scored response. Nothing else in rlhalt measures truth."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

import rlhalt
from rlhalt.errors import BudgetExceeded, InputError, VerifierFailure
from rlhalt.fragments import thinking
from rlhalt.fragments.halts import with_halts
from rlhalt.fragments.reflection import before_reflection
from rlhalt.records import HALT_PHRASE, LABELS, Fragment, Json, Message, Response, Scored, content_key
from rlhalt.rewards import Halting
from rlhalt.running.time_limit import in_time
from rlhalt.verifiers import Verdict, Verifier
from rlhalt.verifiers.source_code import code_of

if TYPE_CHECKING:
    from rlhalt.llm import Client

_HALT = Verdict("halt", "the halting phrase")
# Of a response, what is judged; rows that were judged otherwise are judged again.
_JUDGED = "the answer, between its reasoning and its reflection"
_RESPONSE = [field.name for field in dataclasses.fields(Response)]


class NoVerifier:
    """Stands where nothing is verified; asked, it fails."""

    name = "none"

    def verify(self, text: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict | VerifierFailure]:
        """See `rlhalt.verifiers.Verifier`."""
        return [VerifierFailure("nothing is verified here")] * len(fragments)


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Splits a response and judges its fragments.

    Attributes:
        fragment: text to fragments, offsets into the text.
        verifier: fragments to verdicts.
        max_failure_rate: share of failed fragments above which a run stops with `TooManyFailures`.
        workers: responses that are judged at once, at most.
        client: what asks a model, where one is asked; its usage is shown and written down.
        halting: what the domain's verdicts count for, see `rlhalt.rewards`.
        phrase: what the domain halts with.
        seconds: how long a response may take to be split and verified; no limit where None. Its fragments *fail* beyond
            it. The limit applies in the main thread alone, see `rlhalt.running.time_limit`; a judge and the sandbox for
            programs have limits of their own.
        domain: the name of the domain, for responses that name none.
        settings: a fingerprint of what else decides verdicts, the options of a verifier say.
    """

    fragment: Callable[[str], list[Fragment]]
    verifier: Verifier
    max_failure_rate: float = 0.02
    workers: int = 1
    client: Client | None = None
    halting: Halting = "independent"
    phrase: str = HALT_PHRASE
    seconds: float | None = None
    domain: str = ""
    settings: str = ""

    def check_judge(self) -> None:
        """See that the model that is asked, where one is, can be asked; before the first response is drawn.

        Raises:
            InputError, BudgetExceeded: see `rlhalt.llm.Client.check`.
        """
        if self.client is not None:
            self.client.check()

    def split(self, text: str) -> list[Fragment]:
        """The fragments of a text, its halting phrases among them, whatever splits it; see `rlhalt.fragments.halts`.

        A reflection at its end states nothing and has none (`rlhalt.fragments.reflection`).
        """
        stated = before_reflection(text)
        return with_halts(stated, self._fragments(stated), self.phrase)

    def judge(
        self, text: str, reference: Json, earlier: Sequence[Fragment] = (), prompt: Sequence[Message] = ()
    ) -> list[Fragment]:
        """The fragments of a text with their verdicts.

        Halts are labelled here: a verifier sees the other fragments only, unless it has an attribute `knows_halts` that
        is true, because it must know whether a response halts.

        This is the verifier boundary: whatever breaks inside it makes the fragments *failed*, with the reason; the
        whole text is one failed fragment where splitting it broke. May be called from several threads.

        Reasoning before the answer (`rlhalt.fragments.thinking`) and a reflection behind it are neither split nor
        judged: fragmenter and verifier see the answer alone. The offsets point into the whole text.

        Args:
            earlier: the same text judged before; a verifier that is asked at a price need not be asked again for the
                fragments it has labelled.
            prompt: what was asked, for a verifier with an attribute `knows_prompt` that is true.

        Raises:
            InputError: the reference names nothing the verifier knows; the user can correct it, it is not a failure.
            BudgetExceeded: a paid verifier may not ask any more.

        >>> from rlhalt.fragments.sentences import sentences
        >>> class Says:
        ...     name = "says/1"
        ...     def verify(self, text, fragments, reference):
        ...         right = (reference["answer"] in one.text for one in fragments)
        ...         return [Verdict("correct" if one else "incorrect", "looked for the answer") for one in right]
        >>> text = "It is 4. It is 5. Unsure from here."
        >>> [one.label for one in Scorer(sentences, Says()).judge(text, {"answer": "4"})]
        ['correct', 'incorrect', 'halt']
        """
        _, begin = thinking.split(text)
        moved = thinking.moved(earlier, -begin)
        answer = before_reflection(text[begin:])
        return thinking.moved(self._judge_answer(answer, reference, moved, prompt), begin)

    def _judge_answer(
        self, text: str, reference: Json, earlier: Sequence[Fragment], prompt: Sequence[Message]
    ) -> list[Fragment]:
        fragments: list[Fragment] = []
        verdicts: Sequence[Verdict | VerifierFailure]

        def work() -> Sequence[Verdict | VerifierFailure]:
            nonlocal fragments
            fragments = self.remembered(self.split(text), earlier)
            return self._verdicts(text, fragments, reference, prompt)

        try:
            verdicts = in_time(work, self.seconds)
        except (InputError, BudgetExceeded):
            raise
        except Exception as error:  # noqa: BLE001 - the verifier boundary
            fragments = fragments or [Fragment(0, len(text), "response", text)]
            verdicts = [VerifierFailure(f"{type(error).__name__}: {error}")] * len(fragments)
        return [self._judged(one, verdict) for one, verdict in zip(fragments, verdicts, strict=True)]

    def _verdicts(
        self, text: str, fragments: Sequence[Fragment], reference: Json, prompt: Sequence[Message]
    ) -> Sequence[Verdict | VerifierFailure]:
        """One verdict a fragment; the verifier is asked where anything but halts is to be judged."""
        halts = [one.kind == "halt" for one in fragments]
        if all(halts):
            return [_HALT] * len(fragments)
        knows_halts = getattr(self.verifier, "knows_halts", False)
        shown = list(fragments) if knows_halts else [one for one in fragments if one.kind != "halt"]
        more = {"prompt": prompt} if getattr(self.verifier, "knows_prompt", False) else {}
        verdicts = self.verifier.verify(text, shown, reference, **more)
        self._refuse_other_types(verdicts)
        if len(verdicts) != len(shown):
            raise VerifierFailure(f"expected {len(shown)} verdicts, found {len(verdicts)}")
        if knows_halts or not any(halts):
            return verdicts
        following = iter(verdicts)
        return [_HALT if halt else next(following) for halt in halts]

    def _refuse_other_types(self, verdicts: Sequence[object]) -> None:
        """See that a verifier returns verdicts: one that returns texts always does, and every fragment would fail.

        Raises:
            InputError: it returns something else. None is left to fail, as one verdict that was forgotten.
        """
        for one in verdicts:
            if one is not None and not isinstance(one, Verdict | VerifierFailure):
                raise InputError(
                    f"the verifier {self.verifier.name} returned {str(one)[:40]!r} ({type(one).__name__}), expected "
                    "rlhalt.verifiers.Verdict(label, evidence) for each fragment, as Verdict('correct', 'a dog has 4')"
                )

    def _fragments(self, text: str) -> list[Fragment]:
        fragments = list(self.fragment(text))
        for one in fragments:
            if not 0 <= one.start <= one.end <= len(text) or text[one.start : one.end] != one.text:
                raise VerifierFailure(f"expected fragments of the text, found {one.text[:40]!r} at {one.start}")
        return fragments

    def remembered(self, fragments: list[Fragment], earlier: Sequence[Fragment]) -> list[Fragment]:
        """The fragments, with the labels that this verifier has given them before."""
        known = {(one.start, one.end, one.claim): one for one in earlier if one.verifier == self.verifier.name}
        return [one if one.kind == "halt" else known.get((one.start, one.end, one.claim), one) for one in fragments]

    def _judged(self, fragment: Fragment, verdict: Verdict | VerifierFailure) -> Fragment:
        name = self.verifier.name
        if fragment.kind == "halt":
            verdict = _HALT
        if isinstance(verdict, VerifierFailure) or (problem := _problem(verdict)):
            reason = str(verdict) or "no reason given" if isinstance(verdict, VerifierFailure) else problem
            return dataclasses.replace(
                fragment,
                label=None,
                probability=None,
                verifier=name,
                evidence=None,
                error=reason.encode("utf-8", "backslashreplace").decode(),
            )
        return dataclasses.replace(
            fragment,
            label=verdict.label,
            probability=verdict.probability,
            verifier=name,
            evidence=verdict.evidence,
            error=None,
        )

    @property
    def fragmenter(self) -> str:
        """What splits, with its version where it has one."""
        return str(getattr(self.fragment, "name", None) or getattr(self.fragment, "__name__", "unnamed"))

    @functools.cached_property
    def fingerprint(self) -> str:
        """What judges: names, settings and source code of fragmenter and verifier, what the verifier reads beside its
        code (`rlhalt.verifiers.Verifier`), and the version of rlhalt.
        """
        reads = getattr(self.verifier, "fingerprint", None)
        if reads is not None and not isinstance(reads, str):
            raise InputError(f"expected a text as the verifier's fingerprint, found a {type(reads).__name__}")
        return content_key(
            rlhalt.__version__,
            _JUDGED,
            self.fragmenter,
            code_of(self.fragment),
            self.verifier.name,
            code_of(self.verifier),
            self.phrase,
            self.settings,
            *([] if reads is None else [reads]),
        )

    def made_of(self, response: Response) -> str:
        """What a scored response is made of: a hash of the whole row, and `fingerprint`."""
        row = [getattr(response, name) for name in _RESPONSE]
        return f"{hashlib.sha256(msgspec.json.encode(row)).hexdigest()[:16]}.{self.fingerprint}"

    def reusable(self, response: Response, earlier: Scored | None) -> Sequence[Fragment]:
        """The fragments of a row scored before, where this scorer judged this text by this reference; else none."""
        if earlier is None or earlier.made_of.partition(".")[2] != self.fingerprint:
            return ()
        alike = (earlier.response, earlier.reference) == (response.response, response.reference)
        if getattr(self.verifier, "knows_prompt", False):
            alike = alike and earlier.prompt == response.prompt
        return earlier.fragments if alike else ()

    def score(self, response: Response, earlier: Scored | None = None) -> Scored:
        """A response with its judged fragments; see `judge`.

        Args:
            earlier: the response as it was scored before; its verdicts count where this scorer gave them to this text
                by this reference.
        """
        values = {name: getattr(response, name) for name in _RESPONSE}
        values["domain"] = response.domain or self.domain
        known = self.reusable(response, earlier)
        fragments = self.judge(response.response, response.reference, known, response.prompt)
        return Scored(**values, fragments=fragments, made_of=self.made_of(response))


def _problem(verdict: Verdict) -> str:
    """What makes a verdict none that can be written down; empty where it is one."""
    if not isinstance(verdict, Verdict) or verdict.label not in LABELS:
        return f"expected a verdict with a label of {', '.join(LABELS)}, found {getattr(verdict, 'label', verdict)!r}"
    sure = verdict.probability
    if sure is not None and (isinstance(sure, bool) or not isinstance(sure, int | float) or not 0 <= sure <= 1):
        return f"expected a probability from 0 to 1, found {sure!r}"
    if not isinstance(verdict.evidence, str):
        return f"expected a text as evidence, found {verdict.evidence!r}"
    try:
        verdict.evidence.encode()
    except UnicodeEncodeError:
        return f"expected Unicode text as evidence, found {ascii(verdict.evidence)[:60]}"
    return ""
