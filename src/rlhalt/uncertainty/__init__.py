"""How sure a model is of each fragment it generated: estimates of the probability that the fragment is correct.

None of these is a verifier: they rank fragments and do not say which are right. docs/uncertainty.md compares them.

    token_probability  the policy's own probability of the fragment's tokens, and of halting in its place
    ccp                claim-conditioned probability (arXiv 2403.04696)
    agreement          the share of sampled responses that state the same fact
    semantic_entropy   how many meanings the policy's samples have (arXiv 2302.09664)
    self_evaluation    whether the policy calls it true when it is asked (arXiv 2207.05221)
    among_others       which of several contradictions it calls true (arXiv 2312.09300)
    verbalized         the probability that the policy states when it is asked (arXiv 2305.14975)
    nli                whether one statement entails another, for the estimates that compare statements
    proxy_labels       labels for training where no verifier exists, from an uncertainty estimate
    conformal          a threshold with a coverage guarantee
"""
