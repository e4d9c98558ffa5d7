"""The one exception tree. Every message says what is wrong, with which file, and what to do."""

from __future__ import annotations


def one_line(text: str) -> str:
    """A text with its line breaks and control characters written out: names of files may hold any."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def first_line(error: BaseException) -> str:
    """What a library's exception says, to stand within a sentence: its first line, or its name if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:200]


def kind_and_line(error: BaseException) -> str:
    """The same of an exception that nobody expected: its name comes first."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class RsvlmError(Exception):
    """Something a person can mend.

    Args:
        message: What is wrong, and with which file.
        remedy: What to do about it; shown after the message.
    """

    code = "error"
    exit_status = 2

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}".strip())


class UsageError(RsvlmError):
    """An argument cannot be used as given."""

    code = "usage"


class RasterError(RsvlmError):
    """A raster cannot be opened, placed on the ground, or read."""

    code = "raster"


class ModelError(RsvlmError):
    """A model cannot be found, loaded, or used for what was asked."""

    code = "model"


class SearchIndexError(RsvlmError):
    """An index folder cannot be used: not one, damaged, or made by another model or a newer version."""

    code = "index"


class OutputError(RsvlmError):
    """A result cannot be written where it was asked for; what was there is unchanged."""

    code = "output"


class DataError(RsvlmError):
    """A training or evaluation set is missing, damaged, or not laid out as documented."""

    code = "data"


class Stopped(RsvlmError):
    """The user stopped the run; finished work is kept.

    Attributes:
        finished: Share of the work of which a result can be asked for by itself; None where there is no such thing.
    """

    code = "stopped"
    exit_status = 3
    finished: float | None = None
