"""The three streams of a command, handed through and never looked up: data on standard output and nothing else there,
messages on standard error."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from kfsr.errors import InputError, KfsrError, OutputError, UsageError


@dataclass(frozen=True)
class Streams:
    """Each is None where the caller has closed it."""

    stdin: TextIO | None
    stdout: TextIO | None
    stderr: TextIO | None

    @classmethod
    def of_process(cls) -> Streams:
        """Those of this process."""
        return cls(sys.stdin, sys.stdout, sys.stderr)

    def read(self, what: str) -> bytes:
        """All of standard input; UsageError, saying `what` was wanted, when it is a keyboard or closed, InputError when
        it cannot be read."""
        if self.stdin is None or self.stdin.isatty():
            raise UsageError(f"'-' reads {what} from standard input, but nothing is piped in")
        try:
            return self.stdin.buffer.read()
        except OSError as error:  # a folder, for example
            raise InputError(f"standard input cannot be read ({error.strerror}); check what is piped in") from error

    def refuse_terminal(self, what: str) -> None:
        """UsageError when standard output is a screen, on which `what` would be noise."""
        if self.stdout is not None and self.stdout.isatty():
            raise UsageError(f"{what} would go to the terminal; give a file with -o, or pipe it on")

    def write_data(self, data: bytes) -> None:
        """`data` to standard output; OutputError when there is none or it takes no more, BrokenPipeError when its
        reader has gone."""
        out = self._out()
        with _named():
            out.buffer.write(data)
            out.buffer.flush()

    def write_text(self, text: str) -> None:
        """A line of text that is a command's result, at once."""
        out = self._out()
        with _named():
            out.write(text + "\n")
            out.flush()

    def write_record(self, record: dict[str, Any]) -> None:
        """One JSON object on one line. What JSON cannot say (NaN, infinity) is null."""
        self.write_text(json.dumps(_plain(record), allow_nan=False))

    def line(self, text: str) -> None:
        """`text` as exactly one line on standard error; control characters in file names are made visible."""
        if self.stderr is None:
            return
        visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        with contextlib.suppress(OSError, ValueError):  # nobody is left to tell
            self.stderr.write(visible + "\n")
            self.stderr.flush()

    def error(self, text: str, about: str = "") -> None:
        """One `kfsr: error:` line, whatever `--quiet` says; `about` is the input concerned."""
        self.line("kfsr: error: " + with_subject(about, text))

    def failure(self, error: BaseException, about: str = "") -> None:
        """The same of an exception, with the traceback in front where KFSR_DEBUG asks for it."""
        if os.environ.get("KFSR_DEBUG") == "1" and self.stderr is not None:
            traceback.print_exception(error, file=self.stderr)
        self.error(describe(error), about)

    def flush(self) -> None:
        """A closed pipe shows here, not while Python shuts down."""
        if self.stdout is not None:
            with _named():
                self.stdout.flush()

    def discard(self) -> None:
        """Nobody reads standard output any more; else Python complains of it once more when it flushes at exit."""
        if self.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())

    def _out(self) -> TextIO:
        if self.stdout is None:
            raise OutputError("standard output is closed")
        return self.stdout


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """What goes wrong with standard output says so."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "no space left on the disk" if full else error.strerror or str(error)
        raise OutputError(f"standard output cannot be written ({reason})") from error


def describe(error: BaseException) -> str:
    """What to tell the user about `error`."""
    if isinstance(error, KfsrError):
        return str(error)
    return f"internal error ({type(error).__name__}: {error}); please report it with what KFSR_DEBUG=1 prints"


def with_subject(subject: str, text: str) -> str:
    """`text` with the name of what it is about in front, unless it holds that already: as a word of its own, since
    a_x2.png is not x2.png."""
    held = re.search(rf"(?<![\w./\\-]){re.escape(subject)}(?![\w/\\-])", text)
    return text if not subject or held else f"{subject}: {text}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy
        return _plain(value.tolist())
    return value
