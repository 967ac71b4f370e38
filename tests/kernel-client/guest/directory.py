"""directory.py DIR COUNT: lists DIR while another process changes it.

An entry that is there throughout must be listed exactly once, one that comes or goes meanwhile at
most once: the names of the other process are never used again.
"""

import collections
import os
import signal
import sys
import time

directory, count = sys.argv[1], int(sys.argv[2])
LISTINGS = 4


def name(number):
    return f"there-throughout-{number:05}"


def populate():
    """Mostly symbolic links, which take one request each."""
    for number in range(count):
        path = os.path.join(directory, name(number))
        if number % 20 == 0:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o644))
        else:
            os.symlink("nowhere", path)


def change(progress):
    """Adds and removes names until killed, reporting each round by one byte."""
    number = 0
    while True:
        path = os.path.join(directory, f"comes-and-goes-{number:06}")
        os.symlink("nowhere", path)
        if number >= 10:
            old = os.path.join(directory, f"comes-and-goes-{number - 10:06}")
            os.unlink(old)
        os.write(progress, b".")
        number += 1


def rounds(progress):
    try:
        return len(os.read(progress, 1 << 16))
    except BlockingIOError:
        return 0


def listing():
    """The names, read with pauses so that changes fall between the requests."""
    with os.scandir(directory) as entries:
        for position, entry in enumerate(entries):
            if position % 1000 == 0:
                time.sleep(0.02)
            yield entry.name


def check(names):
    faults = [f"{n} listed {k} times" for n, k in names.items() if k > 1]
    faults += [f"{name(i)} missing" for i in range(count) if name(i) not in names]
    return faults


def main():
    started = time.monotonic()
    populate()
    print(f"{count} entries made in {time.monotonic() - started:.1f} s")
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    child = os.fork()
    if child == 0:
        change(writer)
    faults = []
    try:
        for turn in range(LISTINGS):
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
                drop.write("2")
            rounds(reader)
            started = time.monotonic()
            names = collections.Counter(listing())
            changes = rounds(reader)
            print(
                f"listing {turn}: {len(names)} names, {changes} changes,"
                f" {time.monotonic() - started:.1f} s"
            )
            if changes == 0:
                faults.append(f"listing {turn}: nothing was changed meanwhile")
            faults += check(names)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print("\n".join(faults[:20]))
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


main()
