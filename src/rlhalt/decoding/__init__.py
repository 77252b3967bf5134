"""Decoding: how a model is asked so that it says fewer wrong things, trained or not; `rlhalt evaluate --decode NAME`.

A decoding is one module with a function `engine(inner, setup)`: the transformers engine of the model, and what a
decoding may need (`rlhalt.decoding.setup`) → an `rlhalt.sampling.Engine`, whose `complete` is all that sampling knows.
`rlhalt.decoding.methods` has them by name. Two kinds share a module each:

- `steps`: what changes the logits of the next token (`dola`, `icd`, `iti`, `integrative`),
- `candidates`: what chooses among drawn responses (`consistent`, `best-of-n`, `qalign`).
"""
