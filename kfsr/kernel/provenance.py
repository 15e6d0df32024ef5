"""Where a kernel comes from, and so how far it is to be trusted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kfsr.errors import UsageError

SOURCES = ("given", "estimated", "unknown")
_MOST_NAMES = 20


@dataclass(frozen=True)
class Provenance:
    """The origin of a kernel.

    source: "given" by somebody who knows it; "estimated" from pictures; "unknown", as of a file that does not say.
    method: the estimator, or the kind of kernel that was given. pictures: those it was estimated from, by name, or
    only how many. uncertainty: how wrong it may be, as solvers are told it (`Recipe.uncertainty`), 0 for not at all;
    None where it was not measured.

    Raises UsageError for other values.
    """

    source: str
    method: str
    pictures: tuple[str, ...] | int = 0
    uncertainty: float | None = None

    def __post_init__(self) -> None:
        names = self.pictures if isinstance(self.pictures, tuple) else ()
        count = 0 if isinstance(self.pictures, tuple) else self.pictures
        if (
            self.source not in SOURCES
            or not all(isinstance(text, str) for text in (self.method, *names))
            or type(count) is not int
            or count < 0
            or not (self.uncertainty is None or (isinstance(self.uncertainty, int | float) and self.uncertainty >= 0))
        ):
            raise UsageError(f"not the provenance of a kernel: {self.as_dict()}")

    def of_pictures(self, names: Sequence[str]) -> Provenance:
        """The same with the names of the pictures, or only how many where these are more than 20."""
        return replace(self, pictures=tuple(names) if len(names) <= _MOST_NAMES else len(names))

    def as_dict(self) -> dict[str, Any]:
        """The four values under their names."""
        return asdict(self)

    def as_text(self) -> str:
        """One line of JSON in ASCII, for files."""
        return json.dumps(self.as_dict())

    @classmethod
    def from_text(cls, text: str) -> Provenance:
        """What `as_text` wrote; `UNKNOWN` for any other text, such as a later version's."""
        try:
            said = json.loads(text)
            if isinstance(said["pictures"], list):
                said["pictures"] = tuple(said["pictures"])
            return cls(**said)
        except (ValueError, KeyError, TypeError, RecursionError, UsageError):
            return UNKNOWN


GIVEN = Provenance("given", "given")
UNKNOWN = Provenance("unknown", "file")
