"""What a command says to a person: progress, notes and warnings, all on standard error."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfsr.cli.streams import Streams, with_subject
from kfsr.runs.events import Event, Finished, Progress, Started, Warned, warnings_of

_BAR: dict[str, Any] = {
    "leave": False,
    "dynamic_ncols": True,
    "bar_format": "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{remaining} left]",
}


EVERY = 60.0
"""Seconds without a line after which one says where the work is, where there is no terminal for bars."""


class Console:
    """Messages and progress of one command; `quiet` silences them. A terminal shows bars; elsewhere a line tells where
    the work is when none was written for `every` seconds."""

    def __init__(self, streams: Streams, quiet: bool = False, every: float = EVERY) -> None:
        self.streams, self.quiet, self.every = streams, quiet, every
        self._last_line = time.monotonic()
        self._shows_bars = not quiet and streams.stderr is not None and streams.stderr.isatty()
        self._bar: Any = None
        self._all: Any = None

    def on_event(self, event: Event) -> None:
        """What a run tells, for the eye."""
        match event:
            case Started(pictures) if self._shows_bars and pictures > 1:
                # The mean of all that was done tells the time left better than that of the last few.
                self._all = self._new_bar("all pictures", pictures, smoothing=0)
            case Progress(subject, stage, step, total):
                self.progress(subject, stage, step, total)
            case Warned(subject, text):
                self.warning(with_subject(subject, text))
            case Finished(outcome):
                self._close_bar()
                if self._all is not None and outcome.status != "skipped":
                    self._all.update()
                    self._all.refresh()

    def note(self, text: str) -> None:
        """One plain line."""
        if not self.quiet:
            with self.clear():
                self.streams.line(text)
            self._last_line = time.monotonic()

    def warning(self, text: str) -> None:
        """Something the user should know though the work goes on."""
        self.note("kfsr: warning: " + text)

    def failure(self, error: BaseException, about: str) -> None:
        """A picture that could not be done, also when quiet."""
        with self.clear():
            self.streams.failure(error, about)

    def progress(self, subject: str, stage: str, step: int, total: int) -> None:
        """A bar per stage on a terminal; elsewhere a line now and then."""
        name = Path(subject).name
        title = f"{name}: {stage}" if name else stage
        if not self._shows_bars:
            if time.monotonic() - self._last_line >= self.every:
                self.note(f"{title}, {step} of {total}")
            return
        if self._bar is None or title != self._bar.desc or total != self._bar.total:
            self._close_bar()
            self._bar = self._new_bar(title, total, position=0 if self._all is None else 1)
        self._bar.update(step - self._bar.n)
        if step >= total:
            self._close_bar()

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """While it runs, the core's warnings become lines here; afterwards no bar is left on the screen."""
        with warnings_of("", self.on_event):
            try:
                yield
            finally:
                self._close_bar()
                if self._all is not None:
                    self._all.close()
                    self._all = None

    @contextlib.contextmanager
    def clear(self) -> Iterator[None]:
        """While it runs, the bars are off the screen."""
        if self._bar is None and self._all is None:
            yield
            return
        from tqdm import tqdm

        with tqdm.external_write_mode(file=self.streams.stderr):
            yield

    def _new_bar(self, title: str, total: int, **options: Any) -> Any:
        from tqdm import tqdm

        return tqdm(total=total, desc=title, file=self.streams.stderr, **_BAR, **options)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
