"""Labels from the policy's own doubt, for data without ground truth.

    responses ─ unjudged ─► fragments ─ ccp | agreements ─► certainty ─ mark_uncertain ─► scored rows ─► pairs

A label comes from truth. Where there is none, UNIT (arXiv 2502.11962) takes the fragments the policy is least sure of
for the wrong ones: uncertain is what lies above the 75th percentile of the uncertainty over the data set. Such a row
looks like any scored row, so everything after it works; the verifier's name and every line of evidence say that it is a
proxy. What it costs: a model trained on it learns to leave out what it is unsure of, which is not what is wrong. A
policy that is sure of its errors keeps them, and the share of wrong fragments is an input (one less the quantile), not
a finding. UNIT puts the ceiling on honesty at about 62 % balanced accuracy; docs/uncertainty.md has ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from rlhalt.errors import InputError
from rlhalt.files.provenance import once
from rlhalt.fragments.thinking import fragmented
from rlhalt.records import Fragment, Response, Scored, read

QUANTILE = 0.75


def unjudged(responses: Iterable[Response], fragment: Callable[[str], list[Fragment]]) -> Iterator[Scored]:
    """Responses with their fragments, no label yet: what certainties are computed of."""
    for response in responses:
        values = {field.name: getattr(response, field.name) for field in dataclasses.fields(Response)}
        yield Scored(**values, fragments=fragmented(fragment, response.response))


def mark_uncertain(
    rows: Sequence[Scored], certainty: Sequence[Sequence[float]], name: str, quantile: float = QUANTILE
) -> list[Scored]:
    """Rows whose fragments are labelled by a proxy: `incorrect` where the policy is uncertain, `correct` elsewhere.

    Uncertain ⇔ U = -certainty lies above the quantile of U over all fragments of all rows (linear between two of them,
    as NumPy has it); a fragment on the quantile is certain. A halt is a halt and a fragment whose certainty is NaN is
    unverifiable; neither counts for the quantile. `probability` is how sure the proxy is of its verdict, as everywhere:
    the certainty for `correct`, one less it for `incorrect`; neither CCP nor agreement is calibrated.

    Args:
        certainty: one list a row, one number in [0, 1] a fragment, higher is surer: CCP, or a measure of `Agreement`.
        name: what computed it, with a version: `ccp/1`, `agreement/1`.
        quantile: the share of fragments that is taken for certain.

    Raises:
        InputError: certainties that do not fit the rows or lie outside [0, 1], a quantile outside (0, 1), or no
            fragment above it, because too many share the lowest certainty (as counts over few samples do).
    """
    if not 0 < quantile < 1:
        raise InputError(f"expected a quantile between 0 and 1, found {quantile}", field="quantile")
    if [len(row.fragments) for row in rows] != [len(one) for one in certainty]:
        raise InputError("expected one certainty for every fragment of every row", field="certainty")
    strange = [one for values in certainty for one in values if not (math.isnan(one) or 0 <= one <= 1)]
    if strange:
        raise InputError(f"expected certainties between 0 and 1, found {strange[0]}", field="certainty")
    doubts = [
        -one
        for row, values in zip(rows, certainty, strict=True)
        for fragment, one in zip(row.fragments, values, strict=True)
        if fragment.kind != "halt" and not math.isnan(one)
    ]
    limit = -float(np.quantile(doubts, quantile)) if doubts else 0.0
    if doubts and -max(doubts) >= limit:
        lowest = sum(one == max(doubts) for one in doubts) / len(doubts)
        raise InputError(
            f"expected less certain fragments above the {quantile:.0%} quantile, found {lowest:.0%} with the lowest "
            f"certainty {-max(doubts):.3g}; take a lower quantile or a certainty with fewer ties",
            field="certainty",
        )

    def marked(fragment: Fragment, value: float) -> Fragment:
        judged = dataclasses.replace(fragment, verifier=name, error=None, probability=None)
        if fragment.kind == "halt":
            return dataclasses.replace(judged, label="halt", evidence="the halting phrase")
        if math.isnan(value):
            return dataclasses.replace(judged, label="unverifiable", evidence="no certainty could be computed")
        sure = value >= limit
        side = "not below" if sure else "below"
        return dataclasses.replace(
            judged,
            label="correct" if sure else "incorrect",
            probability=value if sure else 1 - value,
            evidence=f"a proxy, not checked: certainty {value:.3g}, {side} the limit {limit:.3g} of this data set",
        )

    return [
        dataclasses.replace(row, fragments=[marked(*one) for one in zip(row.fragments, values, strict=True)])
        for row, values in zip(rows, certainty, strict=True)
    ]


def score_uncertainty(
    responses: str | Path,
    output: str | Path,
    fragment: Callable[[str], list[Fragment]],
    certainty: Callable[[Sequence[Scored]], Iterable[Sequence[float]]],
    name: str,
    quantile: float = QUANTILE,
) -> None:
    """A file of responses into a file of rows scored by a proxy, see `mark_uncertain`; done already is not done again.

    Args:
        certainty: rows with unjudged fragments → one number a fragment, a list a row. For CCP and for agreement:

                lambda rows: ccp(alternatives("my/policy", rows), classifier("microsoft/deberta-large-mnli"))
                lambda rows: ([one.support for one in row] for row in agreements(rows, nli))

        name: what `certainty` is, with a version; another name is another run.

    Raises:
        InputError: see `mark_uncertain`.
        VerifierFailure: the NLI model broke; nothing is written.
    """

    def make() -> list[Scored]:
        rows = list(unjudged(read(responses, Response), fragment))
        return mark_uncertain(rows, [list(one) for one in certainty(rows)], name, quantile)

    once("score", output, [responses], {"verifier": name, "quantile": quantile, "proxy": True}, make)
