"""The calibrated cut: any model obeys any threshold τ, without training.

A fragment that is right with probability p is worth saying iff p ≥ τ. The model's own confidence c in a fragment is
mapped to that probability; the map is fitted on labelled prompts that the model was not trained on. What is below τ is
left out, and in a causal domain the response halts there.

    calibrate   sample, score and fit: `calibration.json` of a model
    probability the map from confidence to probability
    calibration the file, and the check that it belongs to a model, a domain and a temperature
    promise     the τ at which a share of all responses have no incorrect fragment left
    decision    which fragments are said at τ
    respond     a response cut at τ; `rlhalt answer` and `rlhalt evaluate --cut`
    distil      responses cut at many τ, as targets with τ in the prompt; `rlhalt distil`

A model cut so is what every training for τ has to be compared with.
"""
