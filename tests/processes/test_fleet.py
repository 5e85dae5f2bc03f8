"""A process counts as dead only when nothing of it holds anything any more."""

import os
import subprocess
import sys

from .fleet import is_alive, wait_for

LEADER_ENDS_FIRST = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print(flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_lives_as_long_as_one_of_its_threads() -> None:
    process = subprocess.Popen([sys.executable, "-c", LEADER_ENDS_FIRST], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()

    def is_zombie() -> bool:
        with open(f"/proc/{process.pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"

    try:
        wait_for(is_zombie, 10, "the first thread goes on")
        assert is_alive(process.pid)
    finally:
        process.kill()
        # Not waited for yet: it is a zombie without threads.
        wait_for(lambda: not is_alive(process.pid), 10, "it does not die")
        process.wait()
        process.stdout.close()
    assert not is_alive(process.pid)
    assert not is_alive(0)
    assert is_alive(os.getpid())
