"""How good a model is, how far that can be trusted, and what it is better than.

Reads evaluation folders, one a model and seed, of scored held-out responses, and never judges anything itself: verdicts
come from the scorer that training used too.

    comparison       models side by side
      protocol       what must be alike before they may be
      differences    two of them, paired
      significance   whether that could be chance
      bootstrap      intervals over prompts
    metrics          what is counted in a response and what is made of the counts
      answers        a response as one answer: right, wrong, held back
      longform       a response as a number of supported claims
      reflection     a response that says at its end what of it is doubtful
    calibration      whether confidences mean what they say
      ranking        whether they put right fragments before wrong ones
      judged         the fragments that both are about
    sources          where a confidence can come from, side by side
      stated         asked for
      certainty      what costs a pass of the model each
    baselines        what training has to beat: base without what it is unsure of
      recalibration  confidences made to mean what they say
    speaking         where a trained model begins to speak, against its τ
    elsewhere        what models do outside of their domain, beside base
      general        text and short instructions
    evaluated        the model of an evaluation folder
    multiple_choice  TruthfulQA's MC1 and MC2, questions in GPQA's form
    tables           the comparison for people
    output           the comparison as files
"""

from rlhalt.evaluation.comparison import Comparison, compare
from rlhalt.evaluation.folder import Evaluation, load
from rlhalt.evaluation.output import write
from rlhalt.evaluation.tables import table

__all__ = ["Comparison", "Evaluation", "compare", "load", "table", "write"]
