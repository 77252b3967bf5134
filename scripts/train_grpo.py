"""Online training: accelerate launch scripts/train_grpo.py --config configs/grpo/countries.yaml."""

import sys

from rlhalt.cli import guarded
from rlhalt.training.grpo import main

if __name__ == "__main__":
    sys.exit(guarded(main, sys.argv[1:]))
