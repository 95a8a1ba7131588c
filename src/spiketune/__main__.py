"""The command's entry, and `python -m spiketune`: the command line of this very interpreter."""

from __future__ import annotations

import sys
from typing import Final

INTERRUPTED: Final = 130  # exit status after Ctrl-C, as shells have it


def main() -> None:
    """Run the command line; Ctrl-C ends it in a line, even while its modules are imported."""
    try:
        from spiketune.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
