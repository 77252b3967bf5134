"""Decision training: every decision of an answer in one pass, at the tokens where speaking and halting part.

    trees     decisions → token sequences, response by response
    collator  these → batches of trees in which each token stands once
    loss      what speaking is worth, and what holds all else in place
    trainer   transformers' Trainer with that loss

A decision has the log-odds Δ of speaking's first words against those of all that may come instead. With worth u (see
`rlhalt.training_data.decisions`) its loss is that of weighted logistic regression,

    |u| · -log σ(sign(u) · β Δ) / β

whose optimum is Δ = (logit p - logit τ) / β: speak iff p ≥ τ, the sharper the smaller β. There is no reference model in
it. A reference moves the switch point by its own log-odds, and it keeps the policy near to itself by holding down what
is to be learnt; what has to stay as it is is held by name instead:

    anchor   the words of each fragment after its first stay as likely as they are: cross-entropy on what the model
             itself has said, wrong or right. Without it answers would be learnt by heart, and p change under the policy
    hold     the answer goes on with one of the ways that a decision is between, and not with something else

Each in a batch of N responses is a sum over its decisions (or words), divided by N times what a response has of them
on average.
"""
