"""DPO in which what the sides of a pair share is computed once.

    layout      sequences → one tree, each token once
    attention   a model run over trees, and whether it computes them
    collator    pairs → batches of such trees
    trainer     TRL's DPOTrainer on them: the same losses, the same gradients
    reference   what the reference says of a pair, kept on disk by content

    trainer = SharedDPOTrainer(model=model, args=args, train_dataset=dataset, processing_class=tokenizer)

in place of `DPOTrainer`. `rlhalt.training.decisions` trains on such trees too. torch and TRL are imported with
`attention`, `collator` and `trainer`.
"""
