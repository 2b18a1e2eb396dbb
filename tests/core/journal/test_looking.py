"""Reading a journal that is changing: what is there in one moment may be gone in the next."""

from __future__ import annotations

import shutil

import dalsegno as ds


def test_a_side_file_that_goes_while_it_is_looked_at_is_no_error(tmp_path, monkeypatch):
    def train(attempt):
        for step, _ in attempt.over(range(3)):
            step.report(loss=1.0)

    ds.run(train, journal=tmp_path / "runs.db", seed=0)
    beside = tmp_path / "runs.db-journal"
    beside.write_bytes(b"x" * 100)  # so that a copy is read
    copy = shutil.copyfile

    def gone(source, target, **options):
        if str(source).endswith("-journal"):
            beside.unlink(missing_ok=True)
        return copy(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", gone)
    assert len(ds.Journal(tmp_path / "runs.db").rows("steps")) == 3
    assert not beside.exists()
