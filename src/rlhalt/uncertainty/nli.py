"""What one text says of another: entailment, neutral or contradiction, by a model that can be exchanged.

An `NLI` is a plain function from pairs of texts to relations. Two are here:

- `classifier`: a trained cross-encoder (`microsoft/deberta-large-mnli`, any checkpoint with the three labels of MNLI).
  What the published measures use, and what to use where a model hub or a folder with one is in reach.
- `lexical`: no model at all, for short sentences that are put alike. docs/uncertainty.md has how far it is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, get_args

from rlhalt.chat.token_spans import common_prefix
from rlhalt.errors import InputError, VerifierFailure
from rlhalt.models.names import resolve_model
from rlhalt.statement import words

Relation = Literal["entailment", "neutral", "contradiction"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)
NLI = Callable[[Sequence[tuple[str, str]]], Sequence[Relation]]
"""Pairs (premise, hypothesis) → one relation a pair, in order."""

BATCH = 32

# The closed classes of English, after the stop words of NLTK that the authors of CCP use, less those that decide what a
# claim says: no, not, nor, only, same, other.
_CLOSED_CLASSES = """
a an the this that these those such each both all any some few more most own
i me my myself we us our ours ourselves you your yours yourself he him his himself she her hers herself it its
itself they them their theirs themselves who whom whose which what
am is are was were be been being has have had having do does did doing will would can could shall should may might
about above after again against at before below between by down during for from further in into of off on onto out
over through to toward towards under up upon with within
and or but if because as until while than then so when where why how here there once also just too very
"""
FUNCTION_WORDS = frozenset(_CLOSED_CLASSES.split())
_WORD = re.compile(r"\d[\d.,]*\d|\w+(?:['’]\w+)*")


def is_function_word(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] lies in function words only: whole words are looked at, so not "an" within "Japan".

    Punctuation and white space belong to no word and count as function words: they say nothing that could be wrong.
    """
    words = [word[0].casefold() for word in _WORD.finditer(text) if word.start() < end and start < word.end()]
    return all(word in FUNCTION_WORDS for word in words)


def relations(nli: NLI, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Relation]:
    """The relation of every pair; each is asked for once.

    Raises:
        VerifierFailure: the model gave fewer or more answers than it was asked for, or one that is no relation.
    """
    asked = list(dict.fromkeys(pairs))
    answers = list(nli(asked)) if asked else []
    if len(answers) != len(asked):
        raise VerifierFailure(f"expected {len(asked)} relations from the NLI model, found {len(answers)}")
    strange = [answer for answer in answers if answer not in RELATIONS]
    if strange:
        raise VerifierFailure(f"expected {', '.join(RELATIONS)} from the NLI model, found {strange[0]!r}")
    return dict(zip(asked, answers, strict=True))


def lexical(pairs: Sequence[tuple[str, str]]) -> list[Relation]:
    """An `NLI` on words alone, for short sentences that are put alike ("The capital of Kenya is Nairobi.").

    Words are those of `rlhalt.statement`, so two texts that state the same fact entail each other. Two texts that begin
    with the same two words or more and then part have the same frame; what is left is the value. Equal values:
    entailment. The premise's value has all words of the hypothesis's and more: entailment. No value on one side,
    function words in one of them ("is in Africa", "is a country"), or one that may be the beginning of the other ("Lu",
    "Luanda"): neutral. Another value: contradiction. Without a common frame: neutral.

    It takes every frame to hold one value at a time, which is wrong for "borders". It knows no synonyms and no truth.

    >>> lexical([("Its capital is Rome.", "Its capital is Paris."), ("It is big.", "It is big.")])
    ['contradiction', 'entailment']
    """
    return [_compare(words(premise), words(hypothesis)) for premise, hypothesis in pairs]


def _compare(premise: list[str], hypothesis: list[str]) -> Relation:
    if premise == hypothesis:
        return "entailment"
    frame = common_prefix(premise, hypothesis)
    said, claimed = premise[frame:], hypothesis[frame:]
    if frame < 2 or not said or not claimed:
        # The shorter one says less: it follows from the longer one, if it says something at all.
        return "entailment" if frame >= 2 and not claimed and hypothesis[-1] not in FUNCTION_WORDS else "neutral"
    if set(claimed) <= set(said):
        return "entailment"
    if set(said) <= set(claimed) or any(word in FUNCTION_WORDS for word in said + claimed):
        return "neutral"
    one, other = " ".join(said), " ".join(claimed)
    return "neutral" if one.startswith(other) or other.startswith(one) else "contradiction"


def check_classifier(model: str) -> tuple[list[str], Any]:
    """See, before weights are loaded, that a model is an NLI classifier: its labels by their numbers, its tokenizer.

    Raises:
        InputError: no model, or one with other labels.
        OSError, ValueError: transformers knows no such model.
    """
    from transformers import AutoConfig, AutoTokenizer

    folder = resolve_model(model)
    config = AutoConfig.from_pretrained(folder)
    labels = [str(config.id2label[index]).casefold() for index in range(config.num_labels)]
    if sorted(labels) != sorted(RELATIONS):
        raise InputError(f"expected a classifier of {', '.join(RELATIONS)}, found {', '.join(labels)}", path=model)
    return labels, AutoTokenizer.from_pretrained(folder)


def classifier(model: str) -> NLI:
    """An `NLI` from a trained sequence classifier, the most probable of its labels, `BATCH` pairs at a time.

    Args:
        model: a folder or hub name, see `rlhalt.models.names.resolve_model`; its configuration names the three labels
            entailment, neutral and contradiction, in any case and order.

    Raises:
        InputError: a model with other labels.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    labels, tokenizer = check_classifier(model)
    network = AutoModelForSequenceClassification.from_pretrained(resolve_model(model)).eval()
    network = network.to("cuda" if torch.cuda.is_available() else "cpu")

    def answer(pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        found: list[Relation] = []
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start : start + BATCH]
            encoded = tokenizer(
                *map(list, zip(*batch, strict=True)), padding=True, truncation=True, return_tensors="pt"
            )
            with torch.no_grad():
                best = network(**encoded.to(network.device)).logits.argmax(-1).tolist()
            found += [relation for index in best for relation in RELATIONS if relation == labels[index]]
        return found

    return answer
