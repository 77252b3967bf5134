"""Preference training: accelerate launch scripts/train_dpo.py --config configs/dpo/135m.yaml."""

import sys

from rlhalt.cli import guarded
from rlhalt.training.dpo import main

if __name__ == "__main__":
    sys.exit(guarded(main, sys.argv[1:]))
