"""Where prompts with references come from: one module a source."""
