"""Online training: responses are sampled, judged while the run goes on, and each token learns from its own decision.

prompts ─ sample ─► responses ─ reward ─► fragments ─ credit ─► one advantage a decision ─ tokens ─► one a token
                                                                                                        │
                                 TRL's GRPOTrainer  ◄─── trainer ◄──────────────────────────────────────┘

credit    what a decision is worth at τ, beside the other responses to the same prompt
tokens    which of the sampled tokens belong to which decision
reward    judges responses, as a reward function of TRL's
trainer   TRL's GRPOTrainer with an advantage for each token
alarms    when a run has gone astray
vllm_cpu  vLLM on a CPU, in the trainer's precision and with its weights
"""
