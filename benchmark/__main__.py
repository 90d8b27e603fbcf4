"""``python -m benchmark``, and the command ``codebook-bench`` of an installed package."""

import gc

# What is imported lives to the end: to look for garbage among it, now and at the end, is a third of a short command.
gc.set_threshold(200_000, 100, 100)

from benchmark.cli import main  # noqa: E402


def command() -> None:
    """Do what the command line says."""
    try:
        main()
    finally:
        gc.freeze()


if __name__ == "__main__":
    command()
