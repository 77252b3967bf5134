"""rlhalt trains a language model to stop where it stops being right."""

__version__ = "0.1.0"
