"""`kfsr` and `python -m kfsr`."""

import contextlib
import os
import signal
import sys

_WAIT = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def wait_asleep() -> None:
    """Let torch's threads sleep while they wait for each other, here and in the processes that this one starts, unless
    the environment says how they are to wait. By default they spin, which on a busy machine takes the processor from
    the very thread that is waited for. OpenMP reads this when torch is first imported."""
    if not any(name in os.environ for name in _WAIT):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def main() -> None:
    """Run the command line of this process and leave with its exit status (see `kfsr.cli.status`)."""
    wait_asleep()
    try:
        from kfsr.cli import run

        status = run(sys.argv[1:])
        for number in (signal.SIGINT, signal.SIGTERM):  # all is done and the status is settled
            signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:  # while the program was still loading
        sys.stderr.write("kfsr: interrupted\n")
        status = 130
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # `run` has told of it
                stream.flush()
    os._exit(status)  # taking torch down takes a third of a second, and there is nothing left to do


if __name__ == "__main__":
    main()
