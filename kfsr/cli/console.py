"""Everything the program says to a person: progress, notes, warnings and errors, all on standard error.

Standard output belongs to data and is written by `kfsr.cli.output`.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO


class Console:
    """Messages and progress of one command; `quiet` silences all but errors.

    `subject` is the input being worked on; lines about it begin with its name.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.subject = ""
        self._bar: Any = None
        self._stage = ""

    def note(self, text: str) -> None:
        """One plain line."""
        if not self.quiet:
            self._print(text)

    def warning(self, text: str) -> None:
        """Something the user should know though the work goes on."""
        if not self.quiet:
            self._print("kfsr: warning: " + _about(self.subject, text))

    def progress(self, stage: str, step: int, total: int) -> None:
        """The core's progress callback: a bar per stage on a terminal, nothing elsewhere."""
        if self.quiet or not _is_terminal(sys.stderr):
            return
        if self._bar is None or stage != self._stage or total != self._bar.total:
            self.close()
            from tqdm import tqdm

            name = Path(self.subject).name
            self._stage = stage
            self._bar = tqdm(
                total=total,
                desc=f"{name}: {stage}" if name else stage,
                file=sys.stderr,
                leave=False,
                dynamic_ncols=True,
                bar_format="{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{remaining} left]",
            )
        self._bar.update(step - self._bar.n)
        if step >= total:
            self.close()

    def close(self) -> None:
        """Remove the bar, if one is shown."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """While it runs, the core's warnings become lines here; afterwards no bar is left on the screen."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = self._show_warning
            try:
                yield
            finally:
                self.close()

    def _show_warning(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        # Other categories are for programmers, and torch's own remarks mean nothing to who upscales a photo.
        if category is UserWarning and "torch" not in Path(filename).parts:
            self.warning(str(message))

    def _print(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        print_line(text)


def print_error(text: str, about: str = "") -> None:
    """One `kfsr: error:` line, whatever `--quiet` says; `about` is the input concerned."""
    print_line("kfsr: error: " + _about(about, text))


def print_line(text: str) -> None:
    """`text` as exactly one line on standard error; control characters in file names are made visible."""
    if sys.stderr is None:
        return
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    with contextlib.suppress(OSError, ValueError):  # nobody is left to tell
        sys.stderr.write(visible + "\n")
        sys.stderr.flush()


def _about(subject: str, text: str) -> str:
    return text if not subject or subject in text else f"{subject}: {text}"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
