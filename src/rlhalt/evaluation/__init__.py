"""How good a model is, how far that can be trusted, and what it is better than.

Reads evaluation folders, one a model and seed, of scored held-out responses, and never judges anything itself: verdicts
come from the scorer that training used too.

    comparison           models side by side
      design             which models, prompts and τ; what is compared with what, and what of it is tested
        roles            what a model is, and what its training started from
        protocol         what must be alike before models may be compared
      arms               what is counted of each model, once for all
      differences        two models, paired
      significance       whether that could be chance
      bootstrap          intervals over prompts and seeds
    counts               what is counted in a response
    metrics              the measures made from the counts
      abstention         a response as one answer: right, wrong, held back
      longform           a response as a number of supported claims
      reflection         a response that says at its end what of it is doubtful
      relations          right and wrong facts by relation
    cut                  every model without what its calibrated probability puts below τ: what training has to beat
      cross_fitting      probabilities by maps that have not seen the prompt
    calibration          whether confidences mean what they say
      selective_prediction  whether they put right fragments before wrong ones
      confidence_arrays  the fragments that both are about
    confidence_sources   where a confidence can come from, side by side
      certainty          what costs a pass of the model each
    switch_point         where a trained model begins to speak, against its τ
    elsewhere            what models do outside of their domain, beside base
      general            text and short instructions
    model_identity       the model of an evaluation folder
    multiple_choice      TruthfulQA's MC1 and MC2, questions in GPQA's form
    tables               the comparison for people
    output               the comparison as files
"""

from rlhalt.evaluation.comparison import Comparison, compare
from rlhalt.evaluation.folder import Evaluation, load
from rlhalt.evaluation.output import write
from rlhalt.evaluation.tables import table

__all__ = ["Comparison", "Evaluation", "compare", "load", "table", "write"]
