"""A made-up world in which the probabilities of a language model are known, to measure whether τ does what it says."""
