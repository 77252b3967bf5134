"""Documents, help and messages use the field's words: no new use of the words listed here.

Uses that were there before this test are counted per file in `plain_words.json`. A file with more uses than its count
fails, and so does a file with fewer: its count must then be lowered. A file without a count may have none.

    python tests/test_plain_words.py    # lowers the counts; never raises one
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = Path(__file__).with_name("plain_words.json")

# What it is called here, the words, and what to write instead.
WORDS = {
    "odds": (r"(?<!log[-\s])odds", "probability"),
    "dial": (r"(un)?dial(s|led|ling)?", "τ in the prompt; τ-conditioned"),
    "go on": (r"(go|goes|going|gone|went) on", "continue; resume"),
    "held against": (r"(hold|holds|held|holding) against", "compared with"),
    "held to": (r"held to", "compared with; limited by"),
    "is told": (r"(is|are|was|were|be|been|being) told", "is passed; receives; is known"),
    "mend": (r"mend(s|ed|ing)?", "fix; correct"),
    "to be had": (r"(to be|can be|cannot be|could be) had", "available"),
    "that is none": (r"(that|which) (is|are) none(?! +of)", "that is not one"),
    "the like of": (r"the like of", "such as; similar to"),
    "its kin": (r"(its|their) kin", "related packages; the others of its kind"),
    "in its head": (r"in its head", "by arithmetic; estimated"),
    "is heard": (r"(is|are|was|were)( not)? heard", "is followed; is ignored"),
    "labelled by hand": (r"labell?ed by hand|hand-labell?ed", "labelled by a person; labelled by a language model"),
    "shall": (r"shall", "must; will"),
    "ought": (r"ought", "should"),
    "anew": (r"anew", "again"),
    "lest": (r"lest", "so that … not"),
    "naught": (r"n?aught", "nothing; anything"),
    "whence": (r"whence|whither|thence|hither|thither", "from where; to where"),
    "thereof": (r"thereof|therein|thereby|hereby|whereof|wherein|whereby", "of it; in it; by which"),
    "forthwith": (r"forthwith|henceforth|erstwhile", "at once; from now on; earlier"),
}
# Two words may have more than one space between them: lines are indented.
PATTERNS = {
    name: re.compile(rf"\b(?:{words})\b".replace(" ", " +"), re.IGNORECASE) for name, (words, _) in WORDS.items()
}


class Hit(NamedTuple):
    """One word that should not be there."""

    place: str
    line: int
    word: str
    text: str

    def __str__(self) -> str:
        name = next(name for name, pattern in PATTERNS.items() if pattern.fullmatch(self.word))
        return f"{self.place}:{self.line}: “{self.word}” → {WORDS[name][1]}   in: {self.text}"


def hits(place: str, text: str, first_line: int = 1) -> Iterator[Hit]:
    """The words of a text, also where a line ends within them."""
    flat = re.sub(r"\s", " ", text)
    for pattern in PATTERNS.values():
        for found in pattern.finditer(flat):
            around = " ".join(flat[max(0, found.start() - 40) : found.end() + 40].split())
            word = " ".join(found.group().split())
            yield Hit(place, first_line + text.count("\n", 0, found.start()), word, around)


def prose(markdown: str) -> str:
    """A page without what is no prose of its own: blocks and spans of code, and the targets of links."""
    for pattern in (r"^(```|~~~).*?^\1", r"(?<!`)`[^`\n]+(?:\n[^`\n]+)?`(?!`)", r"\]\([^)]*\)"):
        markdown = re.sub(
            pattern, lambda found: re.sub(r"[^\n]", "_", found.group()), markdown, flags=re.DOTALL | re.MULTILINE
        )
    return markdown


def comments(source: str) -> str:
    """The comments of a YAML file or a script, a line each; its other lines are empty."""
    found = [re.search(r"(?:^|\s)#(.*)", line) for line in source.split("\n")]
    return "\n".join(one.group(1) if one else "" for one in found)


def literals(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines, docstrings too; what is one word is a key and not prose."""
    within: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [one for one in node.values if isinstance(one, ast.Constant)]
            within |= set(parts)
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in within:
            text = node.value
        else:
            continue
        if " " in text.strip():
            yield node.lineno, re.sub(r"`[^`\n]+`", "_", text)


def pages() -> Iterator[Hit]:
    """Of every page for people."""
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "reward/**/*.md", ".github/**/*.md"):
        for path in sorted(ROOT.glob(pattern)):
            yield from hits(str(path.relative_to(ROOT)), prose(path.read_text(encoding="utf-8")))


def settings() -> Iterator[Hit]:
    """Of the comments in configurations, domains and workflows."""
    for pattern in (
        "configs/**/*.yaml",
        "reward/**/*.yaml",
        "examples/**/*.yaml",
        ".github/**/*.yml",
        "pyproject.toml",
    ):
        for path in sorted(ROOT.glob(pattern)):
            yield from hits(str(path.relative_to(ROOT)), comments(path.read_text(encoding="utf-8")))


def strings() -> Iterator[Hit]:
    """Of the strings of the source: messages, help, docstrings, and the words of the report."""
    for folder in ("src", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, text in literals(path.read_text(encoding="utf-8")):
                yield from hits(str(path.relative_to(ROOT)), text, line)
    for path in sorted((ROOT / "src").rglob("*.j2")) + sorted((ROOT / "src").glob("rlhalt/domains/template/*.txt")):
        yield from hits(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))


def helps() -> Iterator[Hit]:
    """Of the help of every verb, as a terminal shows it."""
    overview = shown()
    verbs = re.findall(r"^    ([a-z][a-z-]*)(?= |$)", overview, re.MULTILINE)
    assert len(verbs) > 10, overview
    yield from hits("rlhalt --help", overview)
    for verb in verbs:
        yield from hits(f"rlhalt {verb} --help", shown(verb))


def shown(*verb: str) -> str:
    from rlhalt.cli import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*verb, "--help"])
    return printed.getvalue()


SOURCES = (pages, settings, strings, helps)


def allowed() -> dict[str, int]:
    found: dict[str, int] = json.loads(ALLOWED.read_text(encoding="utf-8"))
    return found


def by_place(source: Callable[[], Iterator[Hit]]) -> dict[str, list[Hit]]:
    found: dict[str, list[Hit]] = {}
    for one in source():
        found.setdefault(one.place, []).append(one)
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one.__name__)
def test_no_new_one(source):
    new = {place: found for place, found in by_place(source).items() if len(found) > allowed().get(place, 0)}
    lines = [str(one) for found in new.values() for one in found]
    counts = [f"{place}: {len(found)}, allowed are {allowed().get(place, 0)}" for place, found in new.items()]
    assert not new, "write it plainly:\n" + "\n".join(counts + lines)


def test_a_count_that_can_be_lowered_is():
    counted = {place: len(found) for source in SOURCES for place, found in by_place(source).items()}
    lower = {place: counted.get(place, 0) for place, count in allowed().items() if counted.get(place, 0) < count}
    assert not lower, f"well done; now run python tests/test_plain_words.py, which lowers these counts: {lower}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The odds are 0.3.", ["odds"]),
        ("The log-odds and the log odds are 0.3.", []),
        ("A run is gone on\n    with later.", ["gone on"]),
        ("It was held  against a table.", ["held against"]),
        ("The dialogue is about a dialect.", []),
        ("Dialled prompts, an amendment, mended.", ["Dialled", "mended"]),
        ("It is not to be had on cpu, and cannot be had.", ["to be had", "cannot be had"]),
        ("We shall see; oughta.", ["shall"]),
        ("The reward is compared with, available, continued, passed.", []),
    ],
)
def test_what_is_found(text, words):
    assert [one.word for one in hits("page", text)] == words


def test_code_in_a_page_is_no_prose():
    page = "The key `dial` and\n```bash\nrlhalt --dial\n```\n[a page](docs/odds.md) and the dial.\n"
    assert [(one.word, one.line) for one in hits("page", prose(page))] == [("dial", 5)]


def test_strings_of_a_module():
    source = '"""The odds."""\nKEY = "dial"\nx = f"no odds {KEY} of"\ny = ("the model is "\n    "told")\n# mend\n'
    found = [(one.word, one.line) for line, text in literals(source) for one in hits("m", text, line)]
    assert found == [("odds", 1), ("odds", 3), ("is told", 4)]


def test_comments_of_a_configuration():
    assert [one.line for one in hits("c", comments("a: 1  # the dial\n# odds\nb: mend\n"))] == [2, 1]


def test_words_have_patterns_that_match_their_names():
    for name, pattern in PATTERNS.items():
        assert pattern.fullmatch(name), name


def lowered() -> dict[str, int]:
    """The counts as they are now, none of them higher than before."""
    counted = {place: len(found) for source in SOURCES for place, found in by_place(source).items()}
    return {place: min(count, counted[place]) for place, count in sorted(allowed().items()) if place in counted}


if __name__ == "__main__":
    ALLOWED.write_text(json.dumps(lowered(), indent=1) + "\n", encoding="utf-8")
    print(f"{sum(lowered().values())} left in {len(lowered())} places")
