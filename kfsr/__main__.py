"""`kfsr` and `python -m kfsr`."""

import sys


def main() -> None:
    """Run the command line of this process and leave with its exit status (see `kfsr.cli.status`)."""
    try:
        from kfsr.cli import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # before `run` could take care of it
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
