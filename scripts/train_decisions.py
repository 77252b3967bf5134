"""Decision training: accelerate launch scripts/train_decisions.py --config configs/decisions/135m.yaml."""

import sys

from rlhalt.cli import guarded
from rlhalt.training.decisions import main

if __name__ == "__main__":
    sys.exit(guarded(main, sys.argv[1:]))
