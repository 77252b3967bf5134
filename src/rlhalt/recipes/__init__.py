"""Recipes: the whole chain, from a model's own answers to a comparison, described by one YAML file and resumable.

    prompts ─ sample (base, few-shot) ─ score ─┬─ targets ───► train sft
                                               │                  ▼
                                               ├─ pairs at τ ─► train dpo ─► evaluate ─► compare ─► report.html
                                               │                  └─► train grpo ┤
                                               ├─ decisions ──► train decisions ─┤
                                               ├─ targets of other methods ──────┤
                                               └─ pairs of other methods ────────┘

The pairs too are made of the pretrained model's answers: asked about a country it was trained on, the SFT model is
right far more often than about another, and pairs made of what it says there would teach it to trust itself.

A recipe of several domains answers, scores and evaluates each by itself, and trains every model on all of them.

    recipe      the YAML file
    data        what training reads, made of the answers of the pretrained model, domain by domain
    training    the models, each trained from the one before it
    preferring  the preference methods: pairs and a model of each
    online      the online methods: GRPO with another reward
    comparing   each model evaluated and compared, domain by domain
    run         all of it, stage by stage
    rounds      the same repeated: the trained model answers, is scored, paired and trained again
"""
