"""Everything the program says to a person: progress, notes, warnings and errors, all on standard error.

Standard output belongs to data and is written by `kfsr.cli.output`.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

_BAR: dict[str, Any] = {
    "leave": False,
    "dynamic_ncols": True,
    "bar_format": "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{remaining} left]",
}


class Console:
    """Messages and progress of one command; `quiet` silences all but errors.

    `subject` is the input being worked on; lines about it begin with its name. tell: where the lines go instead of
    standard error, and there are no bars then; that of a process that works for another one.
    """

    def __init__(self, quiet: bool = False, tell: Callable[[str], None] | None = None) -> None:
        self.quiet = quiet
        self.subject = ""
        self._tell = tell
        self._bars = tell is None and not quiet and _is_terminal(sys.stderr)
        self._bar: Any = None
        self._stage = ""
        self._all: Any = None

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
        if not self._bars:
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
                position=0 if self._all is None else 1,
                **_BAR,
            )
        self._bar.update(step - self._bar.n)
        if step >= total:
            self.close()

    def begin(self, pictures: int) -> None:
        """A run over so many pictures starts: where there are several, a bar for all of them, too."""
        if self._bars and pictures > 1:
            from tqdm import tqdm

            # The mean of all that was done tells the time left better than that of the last few.
            self._all = tqdm(total=pictures, desc="all pictures", smoothing=0, file=sys.stderr, **_BAR)

    def advance(self) -> None:
        """One picture of the run is finished."""
        if self._all is not None:
            self._all.update()
            self._all.refresh()

    def end(self) -> None:
        """The run is over: no bar is left on the screen."""
        self.close()
        if self._all is not None:
            self._all.close()
            self._all = None

    def close(self) -> None:
        """Remove the bar of a stage, if one is shown."""
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
                self.end()

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

    def line(self, text: str) -> None:
        """A line that another process has worded already."""
        self._print(text)

    def _print(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)
            return
        with self.clear():
            print_line(text)

    @contextlib.contextmanager
    def clear(self) -> Iterator[None]:
        """While it runs, the bars are off the screen."""
        if self._bar is None and self._all is None:
            yield
            return
        from tqdm import tqdm

        with tqdm.external_write_mode(file=sys.stderr):
            yield


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
