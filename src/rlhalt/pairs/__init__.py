"""Scored responses → preference pairs at the threshold τ, and supervised targets.

A pair is a decision: at a fragment, speak or halt. Where the fragment is wrong, halting is preferred, with weight τ;
where it is right, speaking is preferred, with weight 1 - τ. If the model is right with probability p, DPO on such pairs
is logistic regression of the decision with costs τ and 1 - τ, whose optimum speaks iff p ≥ τ. With the first kind alone
every model learns to stop at once. (p is over the prompts that the model cannot tell apart, and the reference shifts
the optimum: there the log-odds of speaking are those of the reference + (logit p - logit τ) / β.)

What halting looks like is the style. The module of each shows its pairs on one example and says what its optimum is:

    style     the better side                                  the optimum speaks iff               module
    remove    leaves the wrong fragment out, and goes on       p ≥ τ, each fragment by itself       omit
    unsure    stops before it with "Unsure from here."         p ≥ τ of the next fragment           cut
    truncate  stops before it without a phrase                 p ≥ τ of the next fragment           cut
    keep      goes on: the counterpart of `unsure`, alone      always                               cut
    reflect   says it and lists it as doubtful at the end      p ≥ τ, each fragment by itself       reflect
    flip      says it as doubtful                              p ≥ τ, on average over a response    hedge

Unverifiable fragments decide nothing; in `remove` they are left out of both sides, so that these hold only what was
checked. A response with a failed fragment gives nothing, and a fragment cut off at the token limit stands on no side.

Decisions go without sides: what speaking a fragment is worth, where the trained policy will stand.

Supervised targets are the better sides, or those of the methods that rlhalt is compared with.

    pieces      a response in pieces, and a pair of two of them
    styles      the styles by name
    decide      a response's decisions one by one: what is trained at the words where speaking and halting part
    dial        decisions at many thresholds, each said in the prompt: one model for every τ
    supervised  the other methods by name: HALT and its baselines in `halt`, Alignment for Honesty in `honesty`
    ranking     which of a prompt's N responses become targets
    odds        how likely a fragment is to be right, by the N responses
    files       from file to file, of training prompts alone
    leakage     no prompt both in training and in evaluation
    shares      how many pairs of each kind a style makes
    smooth      an answer with gaps made fluent by a language model; off
"""

from rlhalt.pairs.decide import decisions
from rlhalt.pairs.files import write_decisions, write_dialled, write_pairs, write_supervised, write_targets
from rlhalt.pairs.pieces import compose
from rlhalt.pairs.ranking import best
from rlhalt.pairs.styles import Style, check_style, default_style, pairs, targets
from rlhalt.pairs.supervised import Method, supervised

__all__ = [
    "Method",
    "Style",
    "best",
    "check_style",
    "compose",
    "decisions",
    "default_style",
    "pairs",
    "supervised",
    "targets",
    "write_decisions",
    "write_dialled",
    "write_pairs",
    "write_supervised",
    "write_targets",
]
