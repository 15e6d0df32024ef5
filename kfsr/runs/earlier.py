"""Results of earlier runs among the inputs: not taken for pictures to be done once more."""

from __future__ import annotations

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from kfsr.runs import manifest
from kfsr.runs.inputs import Source

_NAMED = re.compile(r"(?P<stem>.+)_x(?P<scale>[1-4](?:\.\d+)?)")
"""The default name of a result, less its ending (see `runs.names`)."""

_SHOWN = 3


def among(sources: Sequence[Source], targets: dict[Path, Path], folder: Path | None) -> list[Source]:
    """Those of the sources that are results of this or of an earlier run, made of others among them.

    targets: real paths of this run's results to those of their inputs. folder: where they go, None for beside them.
    A source is a result

    - when the list of finished pictures beside it says so (`runs.manifest`), and that it was made of another source:
      to enlarge results once more, their folder is named alone;
    - when that list says so, it was found in a folder, and what it was made of has been there too and is gone, as long
      as other pictures are left there;
    - when it has the name that a result of another source in the same folder gets by default, and its size;
    - when it stands where this run puts the result of another source, was found in a folder or has a result's size;
    - when it was found in the folder of this run's results, and that lies inside the folder that was looked into.
    """
    files = {os.path.realpath(one.path): one for one in sources if one.path is not None and one.problem is None}
    stems: defaultdict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in map(Path, files):
        stems[file.parent, file.stem].append(file)
    lists = manifest.Manifest()
    digests: dict[str, str | None] = {}

    def has(digest: str, but: str) -> bool:
        for path in files:
            if path not in digests:
                digests[path] = manifest.digest_of_file(Path(path)) if Path(path).is_file() else None
        return any(path != but and one == digest for path, one in digests.items())

    def is_result(real: str, one: Source) -> bool:
        path = Path(real)
        entry = lists.entry(path)
        if entry is not None:
            place = None if entry.place is None else os.path.realpath(path.parent / entry.place)
            if (place in files and place != real) or has(entry.input, real):
                return True
        if folder is not None and _is_among_results(one, folder):
            return True
        original = targets.get(path)
        if original is not None and os.path.realpath(original) != real:
            grown = _times(original, path)
            return bool(grown) if one.under is None else grown is None or grown > 0
        named = _NAMED.fullmatch(path.stem)
        return named is not None and any(
            _times(one, path) == float(named["scale"]) for one in stems.get((path.parent, named["stem"]), [])
        )

    def has_lost_its_original(real: str, one: Source) -> bool:
        entry = lists.entry(Path(real))
        return one.under is not None and entry is not None and entry.place is not None and os.sep not in entry.place

    results = {real for real, one in files.items() if is_result(real, one)}
    lost = {real for real, one in files.items() if real not in results and has_lost_its_original(real, one)}
    if len(results) + len(lost) < len(files):
        results |= lost
    return [one for one in sources if one.path is not None and os.path.realpath(one.path) in results]


def tell(results: Sequence[Source]) -> None:
    """A UserWarning that names what is left out."""
    if results:
        names = ", ".join(str(one.path) for one in results[:_SHOWN])
        more = f" and {len(results) - _SHOWN} more" if len(results) > _SHOWN else ""
        one = "a result of an earlier run; to have it done, name it alone"
        what = one if len(results) == 1 else "results of earlier runs; to have them done, name them alone"
        warnings.warn(f"left out: {names}{more}: {what}", UserWarning, stacklevel=3)


def _times(original: Path, path: Path) -> float | None:
    """How many times larger a picture is than another, 0 where it is no enlarged one; None where a file does not
    tell."""
    first, second = _size(original), _size(path)
    if first is None or second is None:
        return None
    for one in (first, first[::-1]):  # a result is upright, whatever its original says of itself
        for times in (1, 2, 3, 4):
            if second == (times * one[0], times * one[1]):
                return times
        grown = round(second[0] / one[0], 2)
        if grown >= 1 and all(abs(b - grown * a) <= 1 + 0.01 * a for a, b in zip(one, second, strict=True)):
            return grown
    return 0


def _size(path: Path) -> tuple[int, int] | None:
    from kfsr.errors import InputError
    from kfsr.image import read_size

    if not path.is_file():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_size(path)
    except InputError:
        return None


def _is_among_results(source: Source, folder: Path) -> bool:
    """Whether a file was found in a folder of results that lies inside the folder that was looked into."""
    if source.path is None or source.under is None:
        return False
    root = source.path.parent.joinpath(*[".."] * len(source.under.parts))
    inside, results, path = (Path(os.path.realpath(p)) for p in (root, folder, source.path))
    return results != inside and results.is_relative_to(inside) and path.is_relative_to(results)
