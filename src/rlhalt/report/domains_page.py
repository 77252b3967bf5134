"""One page for a comparison on several domains: the mean, each domain, and the way to the report of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from rlhalt.evaluation.several_domains import MACRO, cell, columns
from rlhalt.records import Json, write_atomic

_MEANINGS = (
    ("correct", "Of the fragments that the verifier could decide, the share that is correct."),
    ("of base", "The correct fragments, compared with those of the pretrained model with its examples."),
    ("of a full answer", "The correct fragments, compared with the number that a full answer has."),
    ("F1", "The harmonic mean of “correct” and “of a full answer”."),
    ("halts", "The share of the responses that end with the halting phrase."),
    (
        "utility τ",
        "Per response: 1 − τ for each correct fragment, −τ for each incorrect one. Above 0, the model earns more than "
        "silence.",
    ),
    ("+ cut", "The same responses without what the model's calibrated probability puts below τ; cross-fitted."),
)


def render_domains(rows: Sequence[Json], pages: Mapping[str, str]) -> str:
    """The page as text.

    Args:
        rows: see `rlhalt.evaluation.several_domains.overview`.
        pages: of each domain, the address of its report.
    """
    folder = files("rlhalt.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(folder.joinpath("domains.html.j2").read_text(encoding="utf-8"))
    names = columns(rows)
    decodings = {
        decoding: {
            domain: [
                (row["model"], [cell(name, row[name]) for name, _ in names])
                for row in rows
                if (row["decoding"], row["domain"]) == (decoding, domain)
            ]
            for domain in (MACRO, *pages)
        }
        for decoding in dict.fromkeys(row["decoding"] for row in rows)
    }
    return template.render(
        style=Markup(folder.joinpath("page.css").read_text(encoding="utf-8")),
        models=list(dict.fromkeys(row["model"] for row in rows)),
        domains=pages,
        titles=[title for _, title in names],
        decodings=decodings,
        meanings=_MEANINGS,
    )


def write_domains(rows: Sequence[Json], reports: Mapping[str, Path], path: Path) -> None:
    """Write the page.

    Args:
        reports: of each domain, the folder of its report, below the same folder as the page's.
    """
    top = path.parent.parent
    pages = {domain: f"../{folder.relative_to(top).as_posix()}/report.html" for domain, folder in reports.items()}
    write_atomic(path, [render_domains(rows, pages)])
