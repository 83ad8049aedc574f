"""``python -m seco.cli``: the command line under a launcher such as torchrun."""

from .main import main

if __name__ == "__main__":
    main()
