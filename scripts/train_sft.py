"""Supervised fine-tuning: accelerate launch scripts/train_sft.py --config configs/sft/135m.yaml."""

import sys

from rlhalt.cli import guarded
from rlhalt.training.sft import main

if __name__ == "__main__":
    sys.exit(guarded(main, sys.argv[1:]))
