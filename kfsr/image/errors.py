"""What the readers of this package tell each other."""


class UnsupportedError(Exception):
    """A sound file of a kind that is not read; the text says which."""
