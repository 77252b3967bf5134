"""Where a worked solution states its final answer.

    steps and halts ─ explicit, announced ─► answers ─ none, and no halt? ─► the last thing that is stated

An answer is *explicit* where the solution calls it one: "A: 26", "#### 26", "The answer is 26.", a box or an <answer>
tag anywhere in a line, or what stands below the heading "Final Answer". A label such as "Answer:" may also open a
solution; it is no answer where the solution only begins there.

Solutions often end without such words: "**She makes $18.**", "Total = $18", "= 18". Where nothing is explicit and the
response does not halt, the answer is what it states last: a number alone, a whole sentence with a number, a
conclusion, or a calculation. What breaks off in the middle of a sentence states nothing.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from rlhalt.records import Fragment

_MARK = r"[\W_]*"
_CONCLUDES = (
    r"(?:so|thus|therefore|hence|finally|in\s+(?:total|all|conclusion|summary)|altogether|overall|consequently|"
    r"as\s+a\s+result|in\s+the\s+end|this\s+means|that\s+means)\b"
)
_OTHER_LANGUAGES = (
    r"答案(?:是|为|:|：)|答(?:え)?(?:は|:|：)|답(?:은|:|：)|(?:la\s+)?respuesta(?:\s+final)?(?:\s+es\b|\s*:)|"
    r"(?:la\s+)?réponse(?:\s+finale)?(?:\s+est\b|\s*:)|(?:die\s+)?antwort(?:\s+(?:ist|lautet)\b|\s*:)|"
    r"(?:a\s+)?resposta(?:\s+final)?(?:\s+é\b|\s*:)|(?:la\s+)?risposta(?:\s+è\b|\s*:)|ответ\s*(?::|—)"
)
_IS = r"[*_]*\s*(?:[:=：]|[-–—]\s|(?:is|was|equals|would\s+be|will\s+be|comes\s+to)\b\s*:?)"
# What calls itself the answer wherever it stands: "So the final answer to the question is: ".
_CALLED = rf"(?:{_CONCLUDES}[\s,]*|and\b[\s,]*)*(?:the|our|my|your)\s+(?:(?:final|correct|right)\s+)?answer\b"
_FOR_WHAT = r"(?:\s+(?:to|of|for)\s+[^.:=\d]{1,60}?)?"
_STRONG = re.compile(
    rf"{_MARK}(?:####|{_CALLED}{_FOR_WHAT}{_IS}|(?:{_CONCLUDES}[\s,]*)?final\s+answer\b{_IS}|{_OTHER_LANGUAGES})(?=[\W_]*\w)",
    re.IGNORECASE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{|<answer>", re.IGNORECASE)
# What may also open a solution.
_WEAK = re.compile(
    rf"{_MARK}(?:(?-i:A)[*_]*[:：]|(?:final\s+|short\s+|correct\s+)?(?:answer|ans|solution|result)\b{_IS}"
    rf"|(?:final\s+|correct\s+)answer\b{_IS}|(?:the|final|our)\s+(?:final\s+)?(?:result|solution){_IS})(?=[\W_]*\w)",
    re.IGNORECASE,
)
_RESULT = re.compile(r"result|solution", re.IGNORECASE)
_HEADING = re.compile(
    rf"{_MARK}(?:(?:{_CONCLUDES}[\s,]*)?(?:(?:the|our|my)\s+)?(?:(?:final|correct|short)\s+)?(?:answer|ans|result|solution)"
    rf"(?:{_FOR_WHAT}\s+is)?|{_OTHER_LANGUAGES}|A(?=[*_]*[:：]))[\W_]*",
    re.IGNORECASE,
)
_WORD_NUMBER = (
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|twenty|thirty|forty|fifty|"
    r"sixty|seventy|eighty|ninety|hundred|thousand|half|none|dozen)\b"
)
NUMBER = re.compile(rf"\d|[½¼¾⅐-⅞]|{_WORD_NUMBER}", re.IGNORECASE)
_CONCLUSION = re.compile(rf"{_MARK}(?:{_CONCLUDES}|(?:the\s+)?(?:grand\s+|final\s+)?total\b)", re.IGNORECASE)
# "**$18**", "= 18 dollars", "Total = $18", "✅ 18", "x = 18".
_ALONE = re.compile(
    r"[^\w$€£¥\d-]*(?:[^\W\d_]+(?:\s[^\W\d_]+){0,3}\s*[*_]*\s*[=:：][*_]*)?\s*[=≈]?[^\w$€£¥\d-]*[$€£¥\\]*\s*"
    r"-?\d[\d,.\s/]*(?:[%¢°€]|\s?[^\W\d_]+)?(?:[\s/][^\W\d_]+){0,3}[\W_]*"
)
_ENDED = re.compile(r"[.!?。！？…✓✅](?:[\W_]*)$|(?:\*\*|__|\)|\]|\$\$?|>)\s*$")
_CHECKS = re.compile(
    rf"{_MARK}(?:let['’]?s\s+|let\s+us\s+|we\s+can\s+|to\s+)?(?:double[-\s])?"
    r"(?:check|verif|note\b|remember|if\s+you\s+(?:have|need|want)|let\s+me\s+know)",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_PLANS = re.compile(rf"{_MARK}(?:to|first|next|then|now|let|we|i|you)\b", re.IGNORECASE)
_CALCULATES = re.compile(r"[\d½¼¾⅐-⅞][^=\n]{0,80}=")
_SENTENCE, _LONG = 3, 15  # words
_MOST_AFTER = 3  # fragments without a number after the last one that states something


def with_answers(fragments: Sequence[Fragment]) -> list[Fragment]:
    """The fragments, those that state the final answer of kind `answer`; headings that only announce it left out."""
    found = _explicit(_announced(fragments))
    if any(one.kind in ("answer", "halt") for one in found):
        return found
    index = _last_stated(found)
    return found if index is None else [*found[:index], _as_answer(found[index]), *found[index + 1 :]]


def calculates(text: str) -> bool:
    """Whether a text writes out a calculation, or something else with a number, and its result: "9 * 2 = $18"."""
    return _CALCULATES.search(text) is not None


def finished(text: str) -> bool:
    """Whether a text is a conclusion, a whole sentence or a number alone, and does not break off.

    A calculation alone is none of these: "5 × 8 = 40" may be one step of many.
    """
    if calculates(text):
        whole = re.search(r"[.!。](?:\*\*)?\s*$", text) and len(_LETTERS.findall(text)) >= _SENTENCE
        return bool(_CONCLUSION.match(text) or whole)
    return bool(_ALONE.fullmatch(text) or _CONCLUSION.match(text) or (_ENDED.search(text) and _words(text) > 1))


def explicit(text: str) -> bool:
    """Whether a text calls something the answer, or may be meant to."""
    return bool(_STRONG.match(text) or _BOX.search(text) or _WEAK.match(text))


def label_of_answer(text: str) -> int:
    """Where the answer begins, behind the words that call it one: 15 of "The answer is 26"."""
    for pattern in (_STRONG, _WEAK):
        found = pattern.match(text)
        if found:
            return found.end()
    return 0


def _announced(fragments: Sequence[Fragment]) -> list[Fragment]:
    """Without headings such as "**Final Answer**"; what follows one is the answer, unless a solution begins there."""
    kept: list[Fragment] = []
    goes_on = _goes_on(fragments)
    for index, one in enumerate(fragments):
        before = fragments[index - 1] if index else None
        if one.kind == "step" and _HEADING.fullmatch(one.text) and index + 1 < len(fragments):
            continue
        if before and before.kind == one.kind == "step" and _HEADING.fullmatch(before.text):
            called = not _RESULT.search(before.text)
            one = _as_answer(one) if index >= goes_on or (called and _is_alone(one.text)) else one
        kept.append(one)
    return kept


def _explicit(fragments: Sequence[Fragment]) -> list[Fragment]:
    found: list[Fragment] = []
    goes_on = _goes_on(fragments)
    for index, one in enumerate(fragments):
        if one.kind == "step" and (_STRONG.match(one.text) or _BOX.search(one.text)):
            one = _as_answer(one)
        elif one.kind == "step" and (weak := _WEAK.match(one.text)):
            # A "result" may be one of many; what is called the answer need only stand alone.
            called = not _RESULT.search(weak[0])
            one = _as_answer(one) if index >= goes_on or (called and _is_alone(one.text[weak.end() :])) else one
        found.append(one)
    return found


def _goes_on(fragments: Sequence[Fragment]) -> int:
    """The place of the last step with a number that calls itself no answer: before it a label may open the solution."""
    for index in range(len(fragments) - 1, -1, -1):
        text = fragments[index].text
        if fragments[index].kind == "step" and NUMBER.search(text) and not explicit(text) and not _CHECKS.match(text):
            return index
    return -1


def _is_alone(text: str) -> bool:
    return bool(_ALONE.fullmatch(text) or _BOX.search(text))


def _last_stated(fragments: Sequence[Fragment]) -> int | None:
    end = next((index for index, one in enumerate(fragments) if index and _CHECKS.match(one.text)), len(fragments))
    for index in range(end - 1, max(-1, end - 2 - _MOST_AFTER), -1):
        text = fragments[index].text
        if NUMBER.search(text):
            whole = finished(text) or (calculates(text) and not _ends_in_words(text))
            return index if whole or _may_lack_a_stop(fragments, index) else None
        if not finished(text):
            return None
    return None


def _may_lack_a_stop(fragments: Sequence[Fragment], index: int) -> bool:
    """Whether a sentence without a full stop is all that is said, goes on a calculation, or is one of many such."""
    text = fragments[index].text
    if _PLANS.match(text):
        return False
    others = [one.text for one in fragments[:index] if _words(one.text) > _SENTENCE]
    without = sum(not _ENDED.search(one) for one in others) > len(others) / 2
    return text.startswith("=") or (1 < _words(text) <= _LONG and (len(fragments) == 1 or without))


def _ends_in_words(text: str) -> bool:
    return _words(text.rpartition("=")[2]) > 4


def _as_answer(fragment: Fragment) -> Fragment:
    return dataclasses.replace(fragment, kind="answer")


def _words(text: str) -> int:
    return len(re.findall(r"[^\W\d_]{2,}|\d[\d,.]*", text))
