"""What can go wrong in a way that the user can mend. Every message is one line: what, where, and what to do."""


class KfsrError(Exception):
    """Base of all errors that are shown to the user as one line, without a traceback."""


class UsageError(KfsrError):
    """The call itself is wrong: an option, a scale, a combination. Exit status 2."""


class InputError(KfsrError):
    """An input file or array cannot be used. Exit status 3 (some inputs) or 4 (all)."""


class NothingToLearn(InputError):
    """A sound picture that is too small or too flat for a method; it can still be interpolated."""


class OutputError(KfsrError):
    """A result cannot be written. Exit status 3 (some inputs) or 4 (all)."""


class NumericalError(KfsrError):
    """A stage gave NaN or infinity, also in float32; there is no picture. Exit status 3 (some inputs) or 4 (all)."""


class OutOfMemory(KfsrError):
    """The device has too little memory for this picture. Exit status 5."""


class WorkerDied(KfsrError):
    """A process that worked on a picture has ended unexpectedly. Exit status 3 (some inputs) or 4 (all)."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, the system or torch says that memory was too little.

    torch reports it in a different way on each device, and the system in yet others.
    """
    shortage = ("can't allocate memory", "not enough memory", "out of memory", "Cannot allocate memory")
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError | OSError) and any(words in str(error) for words in shortage))
    )
