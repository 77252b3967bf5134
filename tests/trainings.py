"""Trainings one after another in the processes of one launch: `trainings.py '[["sft", "--config", …], …]' [STEP]`.

With a step each process is killed as it would begin the step after it, which nothing can catch.
"""

import json
import os
import signal
import sys

from transformers import Trainer

from rlhalt.cli import main

if __name__ == "__main__":
    if sys.argv[2:]:
        last, train = int(sys.argv[2]), Trainer.training_step

        def until_killed(self, *args, **kwargs):
            if self.state.global_step == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return train(self, *args, **kwargs)

        Trainer.training_step = until_killed
    sys.exit(max(main(["train", *argv]) for argv in json.loads(sys.argv[1])))
