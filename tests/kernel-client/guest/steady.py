"""steady.py log|database|holder|contender FILE SCRATCH: works on a file until SCRATCH/stop is there.

Each step that the file system has confirmed is a byte in SCRATCH/NAME, which is local, and SCRATCH/NAME.pause has
the longest time in seconds between two steps since that file was removed. At the end, what was confirmed must be there.
"""

import errno
import fcntl
import os
import sqlite3
import sys
import time
import zlib

NAME, FILE, SCRATCH = sys.argv[1:]


def go_on():
    return not os.path.exists(f"{SCRATCH}/stop")


last_step = time.monotonic()


def done(progress):
    global last_step
    os.write(progress, b".")
    pause, last_step = time.monotonic() - last_step, time.monotonic()
    file = f"{SCRATCH}/{NAME}.pause"
    try:
        with open(file) as longest:
            if float(longest.read()) >= pause:
                return
    except FileNotFoundError:
        pass
    with open(f"{file}.new", "w") as longest:
        longest.write(f"{pause:.2f}\n")
    os.rename(f"{file}.new", file)


def record(number):
    text = b"%010d %s" % (number, b"x" * (number * 37 % 900))
    return b"%08x %s\n" % (zlib.crc32(text), text)


def log(progress):
    """A log of which each record is synced before the next one."""
    file = os.open(FILE, os.O_CREAT | os.O_RDWR | os.O_APPEND)
    number = 0
    while go_on():
        os.write(file, record(number))
        os.fsync(file)
        number += 1
        done(progress)
    os.close(file)
    # From the server.
    file = os.open(FILE, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    with os.fdopen(file, "rb") as found:
        for wanted in range(number):
            if found.readline() != record(wanted):
                sys.exit(f"record {wanted} of {number} is not what was written")
        if found.read():
            sys.exit(f"there is more than {number} records")


def database(progress):
    """A database with a transaction for each row."""
    connection = sqlite3.connect(FILE, timeout=60, isolation_level=None)
    connection.execute("CREATE TABLE rows (number PRIMARY KEY, text)")
    number = 0
    while go_on():
        connection.execute("INSERT INTO rows VALUES (?, hex(randomblob(200)))", (number,))
        number += 1
        done(progress)
    sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    found = connection.execute("SELECT count(*), max(number) FROM rows").fetchone()
    if sound != "ok" or found != (number, number - 1):
        sys.exit(f"{sound}; {found} of {number} rows")


def holder(progress):
    """Keeps a lock, and writes under it."""
    file = os.open(FILE, os.O_CREAT | os.O_RDWR)
    fcntl.lockf(file, fcntl.LOCK_EX, 100, 0)
    number = 0
    while go_on():
        os.pwrite(file, b"%020d" % number, 0)
        os.fsync(file)
        if os.pread(file, 20, 0) != b"%020d" % number:
            sys.exit("another program has written what is locked")
        number += 1
        done(progress)
        time.sleep(0.05)


def contender(progress):
    """Of another client: must never get that lock, and gets the one beside it each time."""
    file = os.open(FILE, os.O_RDWR)
    while go_on():
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 99)
            sys.exit("the lock of the holder was free")
        except OSError as why:
            if why.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 100, 100)
        fcntl.lockf(file, fcntl.LOCK_UN, 100, 100)
        done(progress)
        time.sleep(0.05)


with_progress = {"log": log, "database": database, "holder": holder, "contender": contender}
with_progress[NAME](os.open(f"{SCRATCH}/{NAME}", os.O_WRONLY | os.O_APPEND))
