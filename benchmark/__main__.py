"""``python -m benchmark``."""

import gc

# What is imported lives to the end: to look for garbage among it, now and at the end, is a fifth of a short command.
gc.set_threshold(200_000, 100, 100)

from benchmark.cli import main  # noqa: E402

try:
    main()
finally:
    gc.freeze()
