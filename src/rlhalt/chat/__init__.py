"""How a model is asked, and where in its tokens an answer lies: chat templates, plain text, τ in the prompt."""
