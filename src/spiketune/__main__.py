"""`python -m spiketune`: the command line of this very interpreter."""

from spiketune.cli.main import main

if __name__ == "__main__":
    main()
