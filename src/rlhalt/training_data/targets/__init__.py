"""Supervised targets of the methods that rlhalt is compared with, all made of the same scored responses.

methods                every method by name
halt_method            HALT (arXiv 2506.04051), HALT per τ, whole-answer abstention, random trimming
alignment_for_honesty  the targets of Alignment for Honesty (arXiv 2312.07000)
selection              which of a prompt's N responses become targets
self_consistency       how probable it is that a fragment is right, estimated from the N responses
"""
