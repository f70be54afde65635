"""Two servers never work with one data directory, and a start waits for the media process of the life before."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kobza.app import data_lock
from kobza.app.data_lock import DataLock, DataTaken

HOLDER = "import sys; print(flush=True); sys.stdin.read()"


def test_a_second_server_is_turned_away(tmp_path: Path) -> None:
    first, second = DataLock(tmp_path), DataLock(tmp_path)
    first.take()
    with pytest.raises(DataTaken, match="another Kobza works with"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_a_start_waits_for_the_media_process_of_a_server_that_died(tmp_path: Path) -> None:
    died = DataLock(tmp_path)
    died.take()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=died.for_media
    ) as media:
        assert media.stdout is not None
        assert media.stdin is not None
        media.stdout.readline()
        died.release()  # as the kernel does when a server is killed
        taken = threading.Event()
        lock = DataLock(tmp_path)

        def take() -> None:
            lock.take()
            taken.set()

        starting = threading.Thread(target=take)
        starting.start()
        assert not taken.wait(0.3)
        media.stdin.close()
        starting.join()
    assert taken.is_set()
    lock.release()


def test_a_media_process_that_never_ends_keeps_no_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(data_lock, "MEDIA_PATIENCE", 0.1)
    died, lock = DataLock(tmp_path), DataLock(tmp_path)
    died.take()
    (media,) = map(os.dup, died.for_media)
    died.release()
    lock.take()
    assert "does not end" in caplog.text
    lock.release()
    os.close(media)
