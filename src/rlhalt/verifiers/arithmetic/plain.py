"""Running text with its print taken away: Markdown, LaTeX and words for operators become plain signs.

"**half of $8,000** is \\frac{8000}{2}" ─ plain ─► "(1/2)*$8,000 = ((8000)/(2))"
"""

from __future__ import annotations

import re
import unicodedata

ANNOTATION = re.compile(r"<<([^<>]*)>>")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<![\d.])\.\d+")

# Bold print, told from a power by what stands before it: "= **24**", but 2**3.
_BOLD = re.compile(r"(?<![\d)\w*])\*\*(?=[^\s*])([^*\n]*(?:\*(?!\*)[^*\n]*)*)(?<=[^\s*])\*\*(?!\*)|__(?=\S)([^_\n]+)__")
_STRAY_BOLD = re.compile(r"\*\*(?=[^\d(\s-])|(?<![\d)\s])\*\*|(?<=\s)\*\*(?=\s*$)|`")

_FRAC = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))")
_LATEX = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\\(?:left|right|displaystyle|quad|qquad|[,;:! ])", " "),
        (r"\\(?:text|mathrm|textbf|mathbf|mbox)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\(?:boxed|fbox)\s*\{([^{}]*)\}", r" \1 "),
        (r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*"),
        (r"\\div(?![a-zA-Z])", "/"),
        (r"\\sqrt\s*\{(\d+)\}", r"√\1"),
        (r"\\([%$#&])", r"\1"),
        (r"(?<=\d)\{,\}(?=\d)", ","),
    ]
]
_SIGNS = str.maketrans({**dict.fromkeys("×·∙⋅✕", "*"), "÷": "/", **dict.fromkeys("−–—", "-"), "[": "(", "]": ")"})
_POWER = re.compile(r"\^\s*\{([^{}]*)\}")
_SUPERSCRIPT = re.compile(r"([\w)])([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_UNIT_POWER = re.compile(r"(?<=[a-zA-Z])\^\{?[23]\}?")

_AMOUNT = rf"[$€£]?(?:{NUMBER.pattern})%?(?:\s(?!and\b|is\b|are\b)[a-z]{{2,12}})?"
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_PART = re.compile(rf"(?:\b({'|'.join(_COUNTS)})[\s-])?\b({'|'.join(_PARTS)})s?\s+of\s+(?=[$€£]?[\d(.])", re.IGNORECASE)
_SUM = re.compile(
    rf"\b(sum|product) of ({_AMOUNT})((?:,? (?:and )?{_AMOUNT})+)(?=\s+(?:is|are|equals)\b|\s*=)", re.IGNORECASE
)
_LISTED = re.compile(r",? and |, ")
_WORDS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in [
        (r"\b(?:times|multiplied by)(?=\s*[$(\d])", "*"),
        (r"\bdivided by(?=\s*[$(\d])", "/"),
        (r"\bplus(?=\s*[$(\d])", "+"),
        (r"\bminus(?=\s*[$(\d])", "-"),
        (r"\b(?:twice|double)\s+(?=[$€£]?\d)", "2*"),
        (r"\bpercent\b", "%"),
        (r"\bequals\b", "="),
    ]
]
# "3 times 8,000 is 32,000 bars", but not "is 4 more than".
_IS = re.compile(
    rf"((?:[*+)]|\bof)\s*{_AMOUNT}(?:\s[a-z]{{2,12}})?)\s(?:is|are|makes|gives|comes to)\s(?=[$€£]?\d)"
    rf"(?![$€£]?(?:{NUMBER.pattern})[%¢]?(?:\s[a-z-]+){{0,3}}?"
    r"\s(?:more|less|fewer|greater|times|as|than|of|short|off|over|under|[a-z]+er|plus|minus)\b)",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """A text in which only plain signs calculate; annotations must have been taken out."""
    if "**" in text or "__" in text or "`" in text:
        text = _STRAY_BOLD.sub(" ", _BOLD.sub(r" \1\2 ", text))
    if "\\" in text:
        text = _without_latex(text)
    text = text.translate(_SIGNS)
    if "^" in text:
        text = _POWER.sub(r"**(\1)", _UNIT_POWER.sub("", text)).replace("^", "**")
    if not text.isascii():
        text = _SUPERSCRIPT.sub(_lowered, text)
    return _in_signs(text)


def _without_latex(text: str) -> str:
    for pattern, replacement in _LATEX[:2]:
        text = pattern.sub(replacement, text)
    for _ in range(3):  # one in another
        text, count = _FRAC.subn(lambda found: f"(({found[1] or found[2]})/({found[3] or found[4]}))", text)
        if not count:
            break
    for pattern, replacement in _LATEX[2:]:
        text = pattern.sub(replacement, text)
    return text


def _lowered(found: re.Match[str]) -> str:
    """2³ is 2**3; m² is a unit."""
    power = "".join(str(unicodedata.digit(char)) for char in found[2])
    return found[1] if found[1].isalpha() else f"{found[1]}**{power}"


def _in_signs(text: str) -> str:
    if " of " in text:
        text = _PART.sub(lambda found: f"({_COUNTS[(found[1] or 'a').lower()]}/{_PARTS[found[2].lower()]})*", text)
        text = _SUM.sub(_summed, text)
    for pattern, replacement in _WORDS:
        text = pattern.sub(replacement, text)
    return _IS.sub(r"\1 = ", text)


def _summed(found: re.Match[str]) -> str:
    sign = " + " if found[1].lower() == "sum" else " * "
    return sign.join([found[2], *(one for one in _LISTED.split(found[3]) if one.strip())])
