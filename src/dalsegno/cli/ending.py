"""How a command ends: every error in words on standard error, every kind with its exit code."""

from __future__ import annotations

import functools
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import typer

PACKAGE = str(Path(__file__).resolve().parents[1]) + os.sep
STANDARD = str(Path(os.__file__).parent) + os.sep
IMPORTING = ("<frozen importlib", importlib.__file__)
TERMINATED = 143
BROKEN_PIPE = 141  # what a shell makes of a program that SIGPIPE ended


def ending(command: Callable[..., Any]) -> Callable[..., None]:
    """A command whose exceptions become messages and exit codes; what it returns is its exit code (None for 0)."""

    @functools.wraps(command)
    def ended(*args: Any, **options: Any) -> None:
        try:
            code = command(*args, **options)
            sys.stdout.flush()
        except SystemExit as leaving:
            if leaving.code == TERMINATED:
                tell("terminated", TERMINATED, options, "stopped by SIGTERM; the same command goes on from there")
            raise
        except GeneratorExit:
            raise
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            code = 130
            tell("interrupted", code, options, "stopped by Ctrl-C; the same command goes on from there")
        except BrokenPipeError as error:
            if is_theirs(error):
                code = user_failed(error, options)
            else:  # whoever read our output has left, as `head` does
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                code = BROKEN_PIPE
        except Exception as error:
            code = failed(error, options)
        if code:
            leave(code)

    return ended


def leave(code: int) -> None:
    raise SystemExit(code)


def failed(error: Exception, options: dict[str, Any]) -> int:
    """Say what went wrong, and with which exit code to leave."""
    from dalsegno.core.errors import DalsegnoError

    if not isinstance(error, DalsegnoError):
        return user_failed(error, options)
    say(f"{error}{place(error)}")
    tell(type(error).__name__, error.exit_code, options, str(error))
    return error.exit_code


def user_failed(error: BaseException, options: dict[str, Any]) -> int:
    """The user's own exception: its traceback last on standard error, without the frames that led to their code."""
    tell(type(error).__name__, 1, options, str(error))
    frames = own_frames(error.__traceback__)
    if isinstance(error, SyntaxError) and frames is error.__traceback__:
        frames = None  # its message says where it is
    shown = error.with_traceback(frames)
    sys.stdout.flush()
    sys.stderr.write("".join(traceback.format_exception(shown)))
    sys.stderr.flush()
    return 1


def is_ours(trace: TracebackType) -> bool:
    file = trace.tb_frame.f_code.co_filename
    return file.startswith((PACKAGE, *IMPORTING))


def own_frames(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from its first frame outside the library; the whole of it where there is none."""
    rest = trace
    while rest is not None and is_ours(rest):
        rest = rest.tb_next
    return rest or trace


def is_theirs(error: BaseException) -> bool:
    rest = own_frames(error.__traceback__)
    return rest is not None and not is_ours(rest) and "rich" not in rest.tb_frame.f_code.co_filename


def place(error: BaseException) -> str:
    """Where in the user's files a library error came from, if it came from there."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if (
            not is_ours(trace)
            and not file.startswith(STANDARD)
            and "site-packages" not in file
            and os.path.exists(file)
        ):
            found = f" ({os.path.relpath(file)}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return found


def say(text: str) -> None:
    """One line to standard error in the program's name."""
    sys.stdout.flush()
    sys.stderr.write(f"dalsegno: {text}\n")
    sys.stderr.flush()


def tell(kind: str, code: int, options: dict[str, Any], message: str = "") -> None:
    """With ``--json``, the error as JSON on standard output."""
    if options.get("as_json"):
        from dalsegno.cli.output import write_json

        write_json({"error": kind, "message": message, "exit_code": code})
