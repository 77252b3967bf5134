"""Words by which a sentence is no plain statement about the present: doubt, another's words, a condition, a past."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DOUBT = (
    r"might|may(?! \d| [12]\d{3})|could|would|should|perhaps|maybe|probabl[ey]|possibl[ey]|likely|unlikely|presumably|"
    r"seems?|appears?|apparently|supposedly|allegedly|reportedly|unsure|uncertain|not sure|i (?:am|do|have|has)|i m|"
    r"do not know|guess\w*|assum\w*|suppos\w*|imagin\w*|pretend\w*|hypothe\w+|in theory|depending"
)
_OTHERS = (
    r"sa(?:y|ys|id)|claim\w*|belie[fv]\w*|think\w*|thought|consider(?:s|ed)?|legend\w*|rumou?r\w*|according to|argu\w+|"
    r"mistak\w+|confus\w+|misconception\w*|myths?|fiction\w*|joke\w*|false\w*|wrong\w*|incorrect\w*|untrue|not true|"
    r"not correct|erroneous\w*|contrary"
)
_CONDITION = r"if|unless|whether|otherwise|provided|except|neither|nor"
_TIME = (
    r"was|were|used to|had|did|until|till|former\w*|previous\w*|once|earlier|originally|historical\w*|ancient|"
    r"before|after|during|in past|ago|no longer|not anymore|will|shall|future|soon|plan\w*|propos\w+|going to|"
    r"being \w+ed|mov(?:e|ed|es|ing)|replac\w+|chang\w+|transfer\w*|relocat\w+|then|colonial|ended|abandon\w*|"
    r"(?:in|from|since|by|between|around|of) (?:(?:early|late|mid|year) |[a-z]+ (?:\d\d?,? )?)?(?:1\d{3}|20\d\d)s?\b|"
    r"\d+(?:st|nd|rd|th) century"
)
_HEDGE = re.compile(rf"\b(?:{_DOUBT}|{_OTHERS}|{_CONDITION}|{_TIME})\b")


def hedge(text: str, read: Sequence[tuple[int, int]] = ()) -> str:
    """The first hedge in a plain text outside the places that were read as claims; "" where there is none.

    >>> hedge("rio de janeiro was capital of brazil until 1960")
    'was'
    """
    return next(
        (
            match[0]
            for match in _HEDGE.finditer(text)
            if not any(start <= match.start() and match.end() <= end for start, end in read)
        ),
        "",
    )
