"""`python -m tests.simulation --seed N --trace` plays one day; `--seeds A-B --jobs N --resume FILE` plays many."""

from __future__ import annotations

import sys

from tests.simulation.command import main

sys.exit(main(sys.argv[1:]))
