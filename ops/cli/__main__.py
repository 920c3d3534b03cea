"""`python -m ops.cli` is `leadbus`."""

from ops.cli import main

if __name__ == "__main__":
    main()
