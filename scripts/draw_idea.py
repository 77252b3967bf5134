"""Draw docs/idea.svg, the picture of docs/concepts.md: python scripts/draw_idea.py"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "idea.svg"
WIDTH, LEFT, RIGHT = 560, 16, 544
GREEN, RED, BLUE, INK, GREY, PAPER = "#15803d", "#b91c1c", "#3730a3", "#1f2937", "#6b7280", "#f3f4f6"
FACTS = (
    ("Albania is in Europe.", True),
    ("Its capital is Tirana.", True),
    ("Its currency is the dinar.", False),
    ("Its official language is Albanian.", True),
)
# What training makes of the verdicts: a heading and what is below it.
USES = (
    ("SFT target", ("the response", "without the", "incorrect fragment")),
    ("DPO pairs", ("without it ≻ with it,", "weight τ; a correct one", "stays, weight 1 − τ")),
    ("GRPO reward", ("an advantage", "for each fragment:", "+0.2, +0.2, −0.8, +0.2")),
)


def text(x: float, y: float, words: str, *, size: int = 15, fill: str = INK, weight: int = 400) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, *, line: str = "#d1d5db", fill: str = PAPER) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{line}"/>'


def arrow(y: float) -> str:
    x = WIDTH / 2
    return f'<path d="M{x} {y}v14m-6 -6l6 6l6 -6" fill="none" stroke="{GREY}" stroke-width="2"/>'


def parts() -> Iterator[str]:
    yield text(LEFT, 34, "1  The model writes a response", weight=700)
    yield box(LEFT, 44, RIGHT - LEFT, 58)
    yield text(28, 68, " ".join(one for one, _ in FACTS[:2]) + " Its currency")
    yield text(28, 90, "is the dinar. Its official language is Albanian.")
    yield arrow(108)
    yield text(LEFT, 146, "2  Fragments", weight=700)
    yield text(318, 146, "3  Verdicts", weight=700)
    yield text(430, 146, "at τ = 0.8", fill=GREY)
    for number, (fact, right) in enumerate(FACTS):
        y = 156 + 36 * number
        colour = GREEN if right else RED
        yield box(LEFT, y, 290, 30)
        yield text(28, y + 20, fact)
        yield box(318, y, 104, 30, line=colour, fill="#f0fdf4" if right else "#fef2f2")
        yield text(330, y + 20, "correct" if right else "incorrect", fill=colour, weight=600)
        yield text(436, y + 20, "1 − τ = +0.2" if right else "−τ = −0.8", fill=colour)
    yield arrow(306)
    yield text(LEFT, 344, "4  Training data", weight=700)
    for number, (name, lines) in enumerate(USES):
        x = LEFT + number * 178
        yield box(x, 354, 172, 92, line=BLUE, fill="#eef2ff")
        yield text(x + 10, 376, name, fill=BLUE, weight=700)
        for place, line in enumerate(lines):
            yield text(x + 10, 398 + 19 * place, line, size=13)
    yield arrow(452)
    yield text(LEFT, 490, "5  A model that stops where it stops being right", weight=700)
    yield box(LEFT, 500, RIGHT - LEFT, 58)
    yield text(28, 524, "Albania is in Europe. Its capital is Tirana.")
    yield text(28, 546, "Its official language is Albanian.")
    yield text(LEFT, 584, "In a chain of steps it ends with “Unsure from here.” instead.", size=14, fill=GREY)


def picture() -> str:
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 600" width="{WIDTH}" height="600" '
            'font-family="system-ui, sans-serif" role="img">',
            "<title>Response, fragments, verdicts, training data, and a model that stops</title>",
            f'<rect width="{WIDTH}" height="600" rx="8" fill="#ffffff"/>',
            *parts(),
            "</svg>\n",
        )
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
