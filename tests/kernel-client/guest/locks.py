"""locks.py PATH PATH: flock and fcntl locks between two processes; the paths name one file."""

import fcntl
import os
import signal
import sys
import time

EXCLUSIVE, SHARED, UNLOCK = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_UN
BIG = 1 << 40


class Process:
    """A process that has the file open and locks it as told."""

    def __init__(self, path, kind):
        self.kind = kind
        down_read, self.down = os.pipe()
        self.up, up_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.down)
            self.serve(path, os.fdopen(down_read), up_write)
        os.close(down_read)
        os.close(up_write)

    def serve(self, path, commands, answers):
        file = os.open(path, os.O_RDWR)
        for command in commands:
            verb, *numbers = command.split()
            numbers = [int(number) for number in numbers]
            os.write(answers, self.obey(file, verb, numbers))
        os._exit(0)

    def obey(self, file, verb, numbers):
        if verb == "count":
            for _ in range(numbers[0]):
                self.increment(file)
            return b"y"
        if verb == "total":
            self.obey(file, "lock", [SHARED, 0, 0])
            total = int(os.pread(file, 20, 0))
            self.obey(file, "lock", [UNLOCK, 0, 0])
            return b"y" if total == numbers[0] else b"n"
        operation, start, length = numbers
        try:
            if self.kind == "flock":
                fcntl.flock(file, operation)
            else:
                fcntl.lockf(file, operation, length, start)
            return b"y"
        except BlockingIOError:
            return b"n"

    def increment(self, file):
        """Reads, adds one and writes under the lock: no increment may be lost."""
        self.obey(file, "lock", [EXCLUSIVE, 0, 0])
        number = int(os.pread(file, 20, 0) or b"0")
        os.pwrite(file, b"%020d" % (number + 1), 0)
        self.obey(file, "lock", [UNLOCK, 0, 0])

    def send(self, verb, *numbers):
        os.write(self.down, (" ".join([verb, *map(str, numbers)]) + "\n").encode())

    def answer(self):
        return os.read(self.up, 1) == b"y"

    def attempt(self, operation, start=0, length=0):
        if operation != UNLOCK:
            operation |= fcntl.LOCK_NB
        self.send("lock", operation, start, length)
        return self.answer()

    def end(self, with_signal=None):
        if with_signal:
            os.kill(self.pid, with_signal)
        os.close(self.down)
        os.close(self.up)
        os.waitpid(self.pid, 0)


def expect(got, wanted, what):
    print(("ok   " if got == wanted else "FAIL ") + what)
    if got != wanted:
        sys.exit(1)


def whole_file(kind, one, two):
    def check(process, operation, wanted, what):
        expect(process.attempt(operation), wanted, f"{kind}: {what}")

    check(one, EXCLUSIVE, True, "the first takes it")
    check(two, EXCLUSIVE, False, "the second does not get it")
    check(two, SHARED, False, "nor a shared one")
    check(one, UNLOCK, True, "the first lets go")
    check(two, EXCLUSIVE, True, "the second takes it")
    check(one, SHARED, False, "the first does not get a shared one")
    check(two, UNLOCK, True, "the second lets go")
    check(one, SHARED, True, "the first shares")
    check(two, SHARED, True, "the second shares")
    check(one, EXCLUSIVE, False, "the first cannot have it alone")
    check(one, UNLOCK, True, "the first lets go of what it has")
    check(two, UNLOCK, True, "the second too")


def waiting(kind, one, two):
    expect(one.attempt(EXCLUSIVE), True, f"{kind}: the first takes it")
    two.send("lock", EXCLUSIVE, 0, 0)
    time.sleep(0.5)
    expect(one.attempt(UNLOCK), True, f"{kind}: the first lets go, the second waits")
    started = time.monotonic()
    expect(two.answer(), True, f"{kind}: the second gets it")
    print(f"     after {time.monotonic() - started:.1f} s")
    expect(one.attempt(EXCLUSIVE), False, f"{kind}: the first does not")
    expect(two.attempt(UNLOCK), True, f"{kind}: the second lets go")


def ranges(one, two):
    def check(process, operation, start, length, wanted):
        who = "first" if process is one else "second"
        does = {EXCLUSIVE: "locks", SHARED: "shares", UNLOCK: "unlocks"}[operation]
        got = process.attempt(operation, start, length)
        expect(got, wanted, f"fcntl: the {who} {does} {length} at {start}: {wanted}")

    check(one, EXCLUSIVE, 0, 100, True)
    check(two, EXCLUSIVE, 100, 100, True)
    check(two, EXCLUSIVE, 99, 1, False)
    check(one, SHARED, 150, 1000, False)
    check(one, UNLOCK, 20, 10, True)  # leaves 0..20 and 30..100
    check(two, EXCLUSIVE, 20, 10, True)
    check(two, EXCLUSIVE, 19, 1, False)
    check(two, EXCLUSIVE, 30, 1, False)
    check(two, UNLOCK, 20, 10, True)
    check(one, EXCLUSIVE, 20, 10, True)  # one piece again
    check(one, SHARED, 50, 10, True)  # downgraded in the middle
    check(two, SHARED, 50, 10, True)
    check(two, SHARED, 49, 1, False)
    check(one, EXCLUSIVE, 50, 10, False)
    check(two, UNLOCK, 0, 0, True)
    check(one, EXCLUSIVE, 50, 10, True)
    check(one, EXCLUSIVE, BIG, 10, True)
    check(two, EXCLUSIVE, BIG + 10, 0, True)  # to the end of everything
    check(one, SHARED, 2 * BIG, 1, False)
    check(two, EXCLUSIVE, BIG + 9, 1, False)
    check(one, UNLOCK, 0, 0, True)
    check(two, EXCLUSIVE, 0, 0, True)
    check(one, SHARED, 0, 1, False)
    check(two, UNLOCK, 0, 0, True)


def counting(kind, one, two):
    for process in (one, two):
        process.send("count", 50)
    expect(one.answer() and two.answer(), True, f"{kind}: both have counted")
    # Read under a lock, too: opening a file does not refresh what Linux has cached of it while
    # another process of the same client has it open for writing.
    for process in (one, two):
        process.send("total", 100)
        expect(process.answer(), True, f"{kind}: no increment is lost")


def main():
    first, second = sys.argv[1:]
    for kind in ("flock", "fcntl"):
        with open(first, "w", encoding="ascii"):
            pass
        one, two = Process(first, kind), Process(second, kind)
        whole_file(kind, one, two)
        waiting(kind, one, two)
        if kind == "fcntl":
            ranges(one, two)
        counting(kind, one, two)
        expect(one.attempt(EXCLUSIVE), True, f"{kind}: the first takes it")
        one.end(signal.SIGKILL)
        time.sleep(0.5)
        expect(two.attempt(EXCLUSIVE), True, f"{kind}: the lock of a killed process is free")
        two.end()


main()
