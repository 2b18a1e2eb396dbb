"""Imports what the programs need once, then forks a program of its own for each order: a kill a tenth of a second, not two.

An order is a line of JSON on standard input: a script with its arguments, the environment to add, and the file for what
it prints.  The answers are the process id, and when it has ended its status.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import traceback


def become(order):
    """In the forked child: run the script as a program and leave as the interpreter would."""
    os.environ.update(order["environment"])
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.argv = order["arguments"]
    status = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main(*preloaded):
    for module in preloaded:
        __import__(module)
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(order)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
