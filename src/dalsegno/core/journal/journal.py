"""Journal: the durable record of runs, attempts, steps, decisions and snapshots, in one SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dalsegno.core.errors import JournalError, SnapshotError, UsageError
from dalsegno.core.journal import opening, owner, removing, schema, tables
from dalsegno.core.journal.connection import Connection
from dalsegno.core.journal.looking import read
from dalsegno.core.journal.writer import RunWriter

if TYPE_CHECKING:
    from dalsegno.core.journal.cleaning import Collected

T = TypeVar("T")


class Journal:
    """A journal file, for reading; :meth:`open_run` is how the engine writes to it.

    ``wait`` is how many seconds a file that another program has locked is waited for.  Making a Journal opens nothing.
    Reading changes no byte of the file and makes none beside it, and works in a folder that cannot be written;
    ``last_read`` says how the last reading was done (``unchanging``, ``shared``, ``copy`` or ``plain``, see
    ``looking.py``).

    ``runs()``, ``attempts()``, ``branches()``, ``steps()``, ``decisions()``, ``snapshots()`` and ``calls()`` give pandas
    frames where pandas is installed and lists of dicts elsewhere; :meth:`rows` always gives lists of dicts.

    Raises :class:`JournalError` where there is no journal, the file is of another program or of a newer format, or it
    stays locked.

    >>> import tempfile
    >>> from dalsegno.core.report import Report
    >>> folder = tempfile.TemporaryDirectory()
    >>> journal = Journal(folder.name + "/runs.db")
    >>> writer = journal.open_run("train", 0, identity={})
    >>> attempt = writer.begin_attempt(1, 7, {"kind": "scratch"}, started_from=None, verified=None)
    >>> branch = writer.begin_branch(attempt, 0, None, 0, "start", None)
    >>> writer.lane(attempt, branch).add((1, 0.5, Report({"loss": 2.0})))
    >>> writer.close()
    >>> [(row["step"], row["loss"]) for row in journal.rows("steps")]
    [(1, 2.0)]
    >>> [(row["name"], row["state"]) for row in journal.rows("runs")]
    [('train', 'interrupted')]
    >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, wait: float = 30.0) -> None:
        self.path = None if path is None else place_of(path)
        self.file = (
            None if self.path is None else self.path.resolve()
        )  # SQLite keeps its log beside what a link points to
        self.wait = wait
        self.last_read: str | None = None
        self.memory_connection: Connection | None = None

    @classmethod
    def memory(cls) -> Journal:
        """A journal that is forgotten with its program; it holds events and no steps."""
        return cls(None)

    def __repr__(self) -> str:
        return "Journal.memory()" if self.path is None else f"Journal({str(self.path)!r})"

    # -- writing ------------------------------------------------------------------------------------------------

    def open_run(self, name: str, seed: int | None, *, identity: Mapping[str, Any], fresh: bool = False) -> RunWriter:
        """Find or make the run of (name, seed) and become its owner; the file is made if there is none.

        ``identity`` is kept with a new run.  ``fresh`` puts an older run of that name and seed aside and makes a new one.
        Raises :class:`InUseError` while a living program owns the run.
        """
        connection = self.writable()
        try:
            shown = None if self.path is None else str(self.path)
            return opening.open_run(connection, self.file, shown, name, seed, identity, fresh)
        except BaseException:
            if self.file is not None:
                connection.close()
            raise

    def writable(self) -> Connection:
        if self.file is not None:
            return schema.open_for_writing(self.file, self.wait)
        if self.memory_connection is None:
            self.memory_connection = schema.open_in_memory()
        return self.memory_connection

    def delete(self, run: int) -> list[str]:
        """Delete a run; the names of its snapshots' folders, for the caller to remove from ``<journal>.snapshots``.

        Raises :class:`InUseError` while a living program owns the run, :class:`JournalError` where there is none.
        """
        return removing.delete(self, run)

    def gc(self, *, dry: bool = False) -> Collected:
        """Remove snapshots that no run can go back to, and give free space back; what was removed.

        See :func:`dalsegno.core.journal.cleaning.collect`; ``dry`` only looks.
        """
        from dalsegno.core.journal import cleaning

        return cleaning.collect(self, dry=dry)

    # -- reading ------------------------------------------------------------------------------------------------

    def look(self, work: Callable[[Connection], T]) -> T | None:
        """The result of some reading on one view of the journal; None where the journal is an empty file."""
        if self.file is None:
            return None if self.memory_connection is None else work(self.memory_connection)
        if not schema.recognise(self.file, self.wait):
            if self.file.exists():
                return None
            raise JournalError(f"there is no journal at {self.path}: check the path; the first run makes one")

        def of_this_format(connection: Connection) -> tuple[bool, T | None]:
            found = schema.format_of(connection)
            if found in (0, schema.version()):
                return True, work(connection) if found else None
            return False, None

        try:
            (done, result), self.last_read = read(self.file, self.wait, of_this_format)
            if not done:  # an older format: a copy is brought up to date and read
                (_, result), self.last_read = read(self.file, self.wait, of_this_format, upgrade=schema.upgrade)
        except (ValueError, SnapshotError) as error:  # a text or a block that is not as any program writes it
            raise JournalError(
                f"journal {self.path} is damaged: a value in it cannot be read ({error}); put back a copy of it"
            ) from error
        return result

    def holder(self, run: int) -> int | None:
        """The process id of a run's living owner, by its operating-system lock."""
        return None if self.file is None else owner.holder(self.file, run)

    def rows(self, table: str, run: int | None = None, *, all: bool = False) -> list[dict[str, Any]]:
        """The rows of a table as dicts, of one run or of all."""
        tables.check_table(table)
        return self.look(lambda connection: tables.rows(connection, table, run, all, self.holder)) or []

    def frame(self, table: str, run: int | None = None, *, every: bool = False) -> Any:
        from dalsegno.core.journal import frames

        pandas = frames.find_pandas()
        if pandas is None:
            return self.rows(table, run, all=every)
        if table == "steps":
            found = self.look(lambda connection: frames.of_steps(pandas, connection, run, every))
            return frames.of_rows(pandas, "steps", []) if found is None else found
        return frames.of_rows(pandas, table, self.rows(table, run))

    def runs(self) -> Any:
        """One row a run.

        ``state`` is ``running`` (then ``pid`` and ``host`` say where), ``interrupted`` (its program has died or was
        stopped: the same command goes on), ``failed`` or ``finished``; ``rule`` and ``reason`` say what ended it.
        ``steps``, ``seconds`` and ``cost`` are logical, ``paid_*`` what was really done.
        """
        return self.frame("runs")

    def attempts(self, run: int | None = None) -> Any:
        """One row an attempt, of one run or of all; ``censored`` ones did not end by themselves."""
        return self.frame("attempts", run)

    def branches(self, run: int | None = None) -> Any:
        """One row a branch: an attempt begins with one, and every roll back begins another."""
        return self.frame("branches", run)

    def steps(self, run: int | None = None, *, all: bool = False) -> Any:
        """One row a step of the line that counts: a column a metric, ``cost.<unit>`` a unit.

        With ``all`` the abandoned steps too, and a column that says which they are.  No other row ever had or will have
        a row's ``id``.  In frames a metric that a step lacks is ``<NA>``, while NaN stays NaN.
        """
        return self.frame("steps", run, every=all)

    def decisions(self, run: int | None = None) -> Any:
        """One row a decision: the rule that took it, what it and the others saw, and what was done."""
        return self.frame("decisions", run)

    def snapshots(self, run: int | None = None) -> Any:
        """One row a snapshot that was acknowledged; ``state`` is ``ok``, ``damaged`` or ``removed``."""
        return self.frame("snapshots", run)

    def calls(self, run: int | None = None) -> Any:
        """One row a costly call made through ``once``."""
        return self.frame("calls", run)


def place_of(path: Any) -> Path:
    """The path of a journal; what only looks like one, and would make a file of that name, is refused."""
    if isinstance(path, Journal) and path.path is not None:
        return path.path
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise UsageError(f"journal={path!r}: expected the path of a file, or None for a run that is kept in memory")
    text = str(os.fspath(path))
    if text == ":memory:" or text.startswith("file:"):
        raise UsageError(f"journal={text!r}: a journal is a file; leave journal out for a run that is kept in memory")
    if "\0" in text or not text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UsageError(f"journal={text!r}: no file can be called so")
    return Path(text).expanduser()
