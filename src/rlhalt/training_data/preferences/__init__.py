"""Preference pairs of the methods that rlhalt is compared with, made of the same scored responses.

Our own pairs decide fragments and share their beginning (`rlhalt.training_data.styles`). Most of these compare two
responses.

methods            every method by name, a line each
two_responses      a pair of two responses, and the best and the worst of several
rlkf               speak where the model knows, refuse where not (arXiv 2403.18349, its DPO form)
grath              self-made truthful and untruthful answers, no labels (arXiv 2401.12292)
shades_of_wrong    less wrong against more wrong (arXiv 2410.11055)
f_dpo              the longer response, flipped where it is less factual (arXiv 2601.03027)
mask_dpo           loss on right sentences of the better and wrong ones of the worse side (arXiv 2503.02846)
mrpo               our pairs, trained with two references (arXiv 2405.16388)
own_pairs          best against worst of the model's own responses
other_chosen       the same with a second model's best response (arXiv 2504.02193)
temporal           the same with the trained model's best response (arXiv 2508.06026)
"""
