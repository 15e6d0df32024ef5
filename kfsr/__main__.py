"""`kfsr` and `python -m kfsr`."""

import signal
import sys


def main() -> None:
    """Run the command line of this process and leave with its exit status (see `kfsr.cli.status`)."""
    try:
        from kfsr.cli import run

        status = run(sys.argv[1:])
        for number in (signal.SIGINT, signal.SIGTERM):  # all is done and the status is settled
            signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:  # while the program was still loading
        sys.stderr.write("kfsr: interrupted\n")
        status = 130
    sys.exit(status)


if __name__ == "__main__":
    main()
