"""Every error the library raises of its own accord, each with the exit code that the command line gives it."""

from __future__ import annotations


class DalsegnoError(Exception):
    """The root of the library's own errors. A user's exception is never wrapped in one of these."""

    exit_code = 4


class UsageError(DalsegnoError, ValueError):
    """An argument is wrong: it is refused before any work is done."""

    exit_code = 2


class ReportError(UsageError):
    """A step reported something that cannot be a report (a negative cost, a metric that is no number)."""


class ChangedError(DalsegnoError):
    """A run of this name exists and was made by something else; the message names what differs, with both values."""


class SnapshotError(DalsegnoError):
    """A snapshot is damaged, foreign or missing; the message names the snapshot, the file and what is wrong."""


class MissingSnapshotError(SnapshotError):
    """A snapshot, or a file of it, is not there or cannot be read just now: it may be put back."""


class UnsavableError(SnapshotError, TypeError):
    """A state holds an object that cannot be saved safely; the message gives its path in the state and its type."""


class InUseError(DalsegnoError):
    """Another living program owns this run."""

    exit_code = 5


class JournalError(DalsegnoError):
    """The journal could not be read or written: locked for too long, full disk, foreign or newer file."""

    exit_code = 6


# Trouble with the engine's own records leaves as it is: it is never a failure of the attempt in which it came up.
BOOKKEEPING = (JournalError, SnapshotError, InUseError)


class BudgetError(DalsegnoError):
    """A call does not fit in what is left of a hard budget; it was not begun."""

    exit_code = 3


class HungError(DalsegnoError):
    """A step did not return within its time limit."""

    exit_code = 8
