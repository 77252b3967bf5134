"""`python -m rlhalt`: the command line, as `accelerate launch -m rlhalt` starts it."""

import sys

from rlhalt.cli import main

sys.exit(main())
