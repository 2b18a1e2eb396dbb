"""File systems whose locks do not work are found out; those that several machines may see are pointed out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dalsegno.core.errors import JournalError
from dalsegno.core.journal import Journal, filesystem

# Stands in for a file system that takes every lock and keeps none.
NO_LOCKS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
static int pretend(const char *real, int descriptor, int command, void *argument) {
    if (command == F_SETLK || command == F_SETLKW) return 0;
    if (command == F_GETLK) { ((struct flock *)argument)->l_type = F_UNLCK; return 0; }
    int (*next)(int, int, ...) = dlsym(RTLD_NEXT, real);
    return next(descriptor, command, argument);
}
int fcntl(int d, int c, ...) { va_list l; va_start(l, c); void *a = va_arg(l, void *); va_end(l); return pretend("fcntl", d, c, a); }
int fcntl64(int d, int c, ...) { va_list l; va_start(l, c); void *a = va_arg(l, void *); va_end(l); return pretend("fcntl64", d, c, a); }
"""


@pytest.fixture
def no_locks(tmp_path_factory):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: a file system without locks cannot be put in place")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(NO_LOCKS)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c", "-ldl"], check=True)
    return {"LD_PRELOAD": str(folder / "shim.so")}


@pytest.fixture
def mounted(tmp_path, tmp_path_factory, monkeypatch):
    """Have the kernel's list of mounts say that the test's folder lies on some kind of file system."""

    def as_kind(kind):
        mounts = tmp_path_factory.mktemp("mounts") / "mounts"
        mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/export {tmp_path} {kind} rw 0 0\n")
        monkeypatch.setattr(filesystem, "MOUNTS", str(mounts))
        monkeypatch.setattr(filesystem, "_checked", set())

    return as_kind


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/proc/self", "proc"), ("/sys/kernel", "sysfs"), ("/dev/shm", "tmpfs"), ("/dev/shm/x/y", "tmpfs")],
)
def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount(place, kind):
    if not Path(place.removesuffix("/x/y")).exists():
        pytest.skip(f"{place} is not there")
    assert filesystem.kind_of(Path(place)) == kind


@pytest.mark.parametrize(
    ("mounts", "kind"),
    [
        ("a / ext4 x\nb /data nfs4 x\n", "nfs4"),
        ("a / ext4 x\nb /dat nfs4 x\n", "ext4"),
        ("a / ext4 x\nb /data nfs4 x\nc /data xfs x\n", "xfs"),
        ("a / ext4 x\nb /data/with\\040space cifs x\n", "cifs"),
    ],
    ids=["inside", "only a beginning of the name", "mounted over", "a space in the name"],
)
def test_mounts_are_read_as_the_kernel_writes_them(tmp_path, monkeypatch, mounts, kind):
    (tmp_path / "mounts").write_text(mounts)
    monkeypatch.setattr(filesystem, "MOUNTS", str(tmp_path / "mounts"))
    assert filesystem.kind_of(Path("/data/with space/runs.db")) == kind


def test_locks_that_work_are_found_to_work(path):
    assert filesystem.locks_work(path)


def test_locks_that_do_not_work_are_found_out(start, no_locks):
    code = "from dalsegno.core.journal import filesystem; say(filesystem.locks_work(path))"
    assert start(code, environment=no_locks).line() == "False"


def test_a_journal_where_locks_do_not_work_is_refused(start, no_locks):
    code = """
from dalsegno.core.journal import filesystem
filesystem.LOCAL = set()
try:
    begin()
except JournalError as error:
    say(error)
"""
    assert "record locks do not work" in start(code, environment=no_locks).line()


def test_a_network_file_system_with_working_locks_is_pointed_out(path, mounted):
    mounted("nfs4")
    with pytest.warns(filesystem.NetworkFileSystemWarning, match=r"network file system \(nfs4\)"):
        Journal(path).open_run("train", 0, identity={}).close()


def test_a_network_file_system_is_pointed_out_once(path, mounted, recwarn):
    mounted("nfs4")
    for _ in range(2):
        Journal(path).open_run("train", 0, identity={}).close()
    assert len([one for one in recwarn if one.category is filesystem.NetworkFileSystemWarning]) == 1


def test_a_file_system_of_unknown_type_is_tried_and_not_pointed_out(path, mounted, recwarn):
    mounted("somefs")
    Journal(path).open_run("train", 0, identity={}).close()
    assert not [one for one in recwarn if one.category is filesystem.NetworkFileSystemWarning]


def test_locks_that_the_system_refuses_are_a_journal_error(path, mounted, monkeypatch):
    mounted("nfs4")
    monkeypatch.setattr(filesystem, "locks_work", lambda journal: False)
    with pytest.raises(JournalError, match="nfs4"):
        Journal(path).open_run("train", 0, identity={})
