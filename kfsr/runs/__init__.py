"""Many pictures, as a library: inputs, plan, list of what is finished, executors, events; `kfsr.run` is the whole."""

from kfsr.runs.events import Event, Finished, Outcome, Progress, SharedKernel, Started, Warned
from kfsr.runs.executors import Processes, Serial
from kfsr.runs.upscaling import run

__all__ = [
    "Event",
    "Finished",
    "Outcome",
    "Processes",
    "Progress",
    "Serial",
    "SharedKernel",
    "Started",
    "Warned",
    "run",
]
