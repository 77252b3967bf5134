"""Scored responses → preference pairs at the threshold τ, and supervised targets.

A pair is a decision: at a fragment, speak or halt. Where the fragment is wrong, halting is preferred, with weight τ;
where it is right, speaking is preferred, with weight 1 - τ. If the sides differed in this decision alone, DPO would be
logistic regression with costs τ and 1 - τ: for p over the prompts that the model cannot tell apart, the log-odds of
speaking would be those of the reference + (logit p - logit τ) / β. The sides also differ in the fragment's words, so
DPO's own optimum follows the value that is right most often, and training undershoots τ (docs/pairs.md). With the first
kind alone every model learns to stop at once.

What halting looks like is the style. The module of each shows its pairs on one example and says what the decision
alone learns:

    style     the better side                                  the decision speaks iff              module
    remove    leaves the wrong fragment out, and goes on       p ≥ τ, each fragment by itself       remove
    unsure    stops before it with "Unsure from here."         p ≥ τ of the next fragment           cut
    truncate  stops before it without a phrase                 p ≥ τ of the next fragment           cut
    keep      goes on: the counterpart of `unsure`, alone      always                               cut
    reflect   says it and lists it as doubtful at the end      p ≥ τ, each fragment by itself       reflect
    flip      says it as doubtful                              p ≥ τ, on average over a response    flip

Unverifiable fragments decide nothing; in `remove` they are left out of both sides, so that these hold only what was
checked. A response with a failed fragment gives nothing, and a fragment cut off at the token limit stands on no side.

Decisions have no sides: each says what generating a fragment is worth at a point that the trained policy will reach.

Supervised targets are the better sides, or those of the methods that rlhalt is compared with. Other methods make pairs
too, most of them of two whole responses (docs/methods.md).

    styles/       the styles, one module each: what the better and the worse side of a pair are
    targets/      supervised targets of other methods, one module each
    preferences/  preference pairs of other methods, one module each
    table         what the tables of both share
    decisions     the decisions of a response one by one, trained at the tokens where speaking and halting part
    pieces        a response in pieces, and a pair of two of them
    files         from file to file, of training prompts alone
    statistics    how many pairs of each kind a style makes
"""

from rlhalt.training_data.files import (
    write_conditioned_decisions,
    write_decisions,
    write_pairs,
    write_preferences,
    write_supervised,
    write_targets,
)
from rlhalt.training_data.pieces import compose
from rlhalt.training_data.preferences.methods import Preference, preferred
from rlhalt.training_data.styles import Style, check_style, default_style, pairs, targets
from rlhalt.training_data.targets.methods import Method, supervised
from rlhalt.training_data.targets.selection import best

__all__ = [
    "Method",
    "Preference",
    "Style",
    "best",
    "check_style",
    "compose",
    "default_style",
    "pairs",
    "preferred",
    "supervised",
    "targets",
    "write_conditioned_decisions",
    "write_decisions",
    "write_pairs",
    "write_preferences",
    "write_supervised",
    "write_targets",
]
