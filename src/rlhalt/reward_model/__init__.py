"""A trained fragment reward model: P(correct) of a fragment, without a reference.

A verifier needs a reference for every prompt. What it said of one set of responses is learnt here, so that it can be
said of others, whose truth nobody has written down.

    scored rows ─ labels ─► last tokens with labels ─ train ─► the folder of a reward model ─ reader ─► P(correct)

    labels         which tokens have a label
    parts          three parts of the prompts: to fit on, to calibrate by, to measure on
    hidden_states  what a frozen model holds of each fragment
    probe          a linear probe on them; probe_file: its file
    classifier     a LoRA token classifier, trained by transformers' Trainer
    figures        AUROC, AUPRC, ECE and first error, with intervals over prompts
    folder         what lies in the folder; card: its README.md; show: the table
    train          `rlhalt train reward`
    reader         a reward model, loaded: P(correct) of fragments

It is a confidence (`rlhalt calibrate --by reward`, `rlhalt certainty --by reward`) and a verifier
(`rlhalt.verifiers.model`).
"""
