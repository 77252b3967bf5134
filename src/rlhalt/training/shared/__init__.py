"""DPO in which what the sides of a pair share is computed once.

    layout      sequences → one tree, each token once
    collator    pairs, or trees of decisions → batches of such trees
    trainer     TRL's DPOTrainer on them: the same losses, the same gradients
    reference   what the reference says of a pair, kept on disk by content
    decisions   scored responses → trees: every halting decision of a response in one pass

    trainer = SharedDPOTrainer(model=model, args=args, train_dataset=dataset, processing_class=tokenizer)

in place of `DPOTrainer`. torch and TRL are imported with `trainer` and `collator`.
"""
