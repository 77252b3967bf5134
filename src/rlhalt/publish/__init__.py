"""A trained model's life after training: one folder that others load, and cards that say what is in it.

merge        an adapter and its base model as one model, for vLLM and transformers
model_card   what a model is, how it is asked and what was measured, from its run.json
data_card    what a file of pairs, targets or decisions holds
push         both to a model hub, with the hub's own client
"""
