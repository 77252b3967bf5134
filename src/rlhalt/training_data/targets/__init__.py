"""Supervised targets of the methods that rlhalt is compared with, all made of the same scored responses.

methods                every method by name, a line each
halt_method            HALT (arXiv 2506.04051), HALT per τ, whole-answer abstention, random trimming
alignment_for_honesty  the targets of Alignment for Honesty (arXiv 2312.07000)
unit                   UNIT (arXiv 2502.11962)
reference              standard fine-tuning
r_tuning               R-Tuning (arXiv 2311.09677)
semantic_entropy       abstention by semantic entropy (arXiv 2410.17234)
craft                  CRaFT (arXiv 2410.06913)
s3ft                   own right answers, gold ones elsewhere (arXiv 2502.08130)
expert_iteration       the model's own best responses (arXiv 2312.06585)
instruction_modelling  the loss on the prompt too (arXiv 2405.14394)
selection              which of a prompt's N responses become targets
self_consistency       how probable it is that a fragment is right, estimated from the N responses
"""
