"""Running a function in a program of its own, which may die in it."""

from __future__ import annotations

import multiprocessing
import traceback

import pytest


def body(function, arguments, pipe):
    try:
        pipe.send(("value", function(*arguments)))
    except SystemExit as leaving:
        pipe.send(("exit", leaving.code))
        raise
    except BaseException as error:
        pipe.send(("error", type(error).__name__, str(error), traceback.format_exc()))


@pytest.fixture
def elsewhere():
    """Call ``elsewhere(function, *arguments)``: what it gave in a forked program; None if that program was killed."""

    def call(function, *arguments):
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        process = context.Process(target=body, args=(function, arguments, theirs))
        process.start()
        theirs.close()
        try:
            message = ours.recv()
        except EOFError:
            message = None
        process.join()
        if message is None:
            assert process.exitcode == -9, f"the program ended with {process.exitcode}"
            return None
        if message[0] == "error":
            raise RuntimeError(message[3])
        return message[1]

    return call
