"""lost-replies.py DIR OTHER-DIR FILE: many processes change DIR until FILE says that enough was lost.

Each call is one that succeeds, or fails in the way it must, if everything before it was executed exactly once. What
became of all of it is then compared with what another client sees in OTHER-DIR, the same directory.
"""

import errno
import fcntl
import multiprocessing
import os
import sys

PROCESSES = 12
KEPT = 8  # of so many rounds of a process one leaves its files
RECORD = 32  # bytes appended in each round
SHOWN = 20

NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY


class Wrong(Exception):
    """An answer that cannot be if everything before it was executed exactly once."""


def answer(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "OK"


def must(what, wanted, call, *arguments):
    got = answer(call, *arguments)
    if got != wanted:
        raise Wrong(f"{what}: {got}, not {wanted}")


def equal(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {got}, not {wanted}")


def write_new(path, content):
    file = os.open(path, NEW, 0o644)
    try:
        os.write(file, content)
    finally:
        os.close(file)


def append(path, content):
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, content)
    finally:
        os.close(file)


def enough(path):
    """Whether the proxy has said all that it says."""
    with open(path, encoding="ascii") as file:
        return len(file.readlines()) > 1


def record(number, turn):
    return f"process {number:02} round {turn:06}".ljust(RECORD - 1).encode() + b"\n"


class Process:
    """One of those that make changes, under names of its own."""

    def __init__(self, directory, number):
        self.directory, self.number = directory, number
        self.wrong, self.rounds = [], 0
        self.left = {}  # name -> what is known of it
        self.unknown = []  # how names begin of which nothing is known
        self.appended = b""
        write_new(self.path("log"), b"")
        self.locked = os.open(self.path("locked"), os.O_CREAT | os.O_RDWR)

    def path(self, name):
        return os.path.join(self.directory, f"{self.number:02}-{name}")

    def work(self, until):
        while not enough(until):
            begin = f"{self.rounds:06}"
            try:
                self.round(begin)
            except Wrong as wrong:
                self.wrong.append(f"process {self.number} round {begin}: {wrong}")
                self.unknown.append(f"{self.number:02}-{begin}")
            except OSError as error:
                self.wrong.append(f"process {self.number} round {begin}: {error}")
                self.unknown.append(f"{self.number:02}-{begin}")
            self.rounds += 1

    def round(self, begin):
        one, two, three, over, folder, inside, symbolic = (
            self.path(f"{begin}-{name}") for name in ("a", "b", "c", "over", "d", "d/e", "s")
        )
        content = begin.encode() * 50
        must("create", "OK", write_new, one, content)
        must("create again", "EEXIST", write_new, one, content)
        must("link", "OK", os.link, one, two)
        equal("links after link", os.lstat(one).st_nlink, 2)
        must("rename", "OK", os.rename, two, three)
        must("stat after rename", "ENOENT", os.lstat, two)
        equal("identity after rename", os.lstat(three).st_ino, os.lstat(one).st_ino)
        must("mkdir", "OK", os.mkdir, folder)
        must("create in it", "OK", write_new, inside, b"")
        must("rmdir while it is not empty", "ENOTEMPTY", os.rmdir, folder)
        must("unlink in it", "OK", os.unlink, inside)
        must("symlink", "OK", os.symlink, begin, symbolic)
        equal("its text", os.readlink(symbolic), begin)
        self.append_and_lock()
        must("create", "OK", write_new, over, content[::-1])
        must("rename over another", "OK", os.rename, over, one)
        equal("links of what had the name, too", os.lstat(three).st_nlink, 1)
        must("unlink", "OK", os.unlink, one)
        must("unlink again", "ENOENT", os.unlink, one)
        if self.rounds % KEPT == 0:
            self.keep({folder: ("folder",), symbolic: ("symbolic", begin), three: ("file", 1, content)})
            return
        must("unlink", "OK", os.unlink, three)
        must("unlink of a symbolic link", "OK", os.unlink, symbolic)
        must("rmdir", "OK", os.rmdir, folder)
        must("mkdir of the same name", "OK", os.mkdir, folder)
        must("rmdir of it", "OK", os.rmdir, folder)

    def keep(self, paths):
        self.left.update((os.path.basename(path), known) for path, known in paths.items())

    def append_and_lock(self):
        """Appends under a lock, which nobody else wants."""
        start = self.rounds % 7 * 10
        must("lock", "OK", fcntl.lockf, self.locked, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, start)
        self.appended += record(self.number, self.rounds)
        must("append", "OK", append, self.path("log"), record(self.number, self.rounds))
        must("unlock", "OK", fcntl.lockf, self.locked, fcntl.LOCK_UN, 10, start)

    def finish(self):
        self.keep(
            {self.path("log"): ("file", 1, self.appended), self.path("locked"): ("file", 1, b"")}
        )


def run(directory, number, until, pipe):
    process = Process(directory, number)
    process.work(until)
    process.finish()
    must("lock at the end", "OK", fcntl.lockf, process.locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    pipe.send((process.rounds, process.wrong, process.left, process.unknown))
    pipe.recv()  # the lock is looked at
    must("unlock at the end", "OK", fcntl.lockf, process.locked, fcntl.LOCK_UN)
    pipe.send(None)
    pipe.recv()


def seen(path):
    if os.path.islink(path):
        return ("symbolic", os.readlink(path))
    if os.path.isdir(path):
        return ("folder",)
    with open(path, "rb") as file:
        return ("file", os.fstat(file.fileno()).st_nlink, file.read())


def show(known):
    return repr(known)[:200]


def compare(directory, left, unknown):
    """Faults of what the other client sees."""
    names = [name for name in os.listdir(directory) if not name.startswith(tuple(unknown))]
    faults = [f"{name} is listed more than once" for name in set(names) if names.count(name) > 1]
    faults += [f"{name} is there" for name in names if name not in left]
    for name, known in left.items():
        if name not in names:
            faults.append(f"{name} is not there")
        elif (found := seen(os.path.join(directory, name))) != known:
            faults.append(f"{name} is {show(found)}, not {show(known)}")
    return faults


def locks(directory, wanted):
    """Faults of the locks that the processes have, or have given back."""
    faults = []
    for number in range(PROCESSES):
        with open(os.path.join(directory, f"{number:02}-locked"), "r+b") as file:
            got = answer(fcntl.lockf, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if got != wanted:
                faults.append(f"lock of what process {number} locks: {got}, not {wanted}")
    return faults


def main():
    directory, other, until = sys.argv[1:]
    context = multiprocessing.get_context("fork")
    pipes, processes = [], []
    for number in range(PROCESSES):
        here, there = context.Pipe()
        process = context.Process(target=run, args=(directory, number, until, there))
        process.start()
        there.close()
        pipes.append(here)
        processes.append(process)
    rounds, wrong, left, unknown = 0, [], {}, ["?"]
    for pipe in pipes:
        of_one = pipe.recv()
        rounds += of_one[0]
        wrong += of_one[1]
        left.update(of_one[2])
        unknown += of_one[3]
    faults = locks(other, "EAGAIN")
    for pipe in pipes:
        pipe.send(None)
        pipe.recv()
    faults += locks(other, "OK")
    faults += compare(other, left, unknown)
    for pipe, process in zip(pipes, processes):
        pipe.send(None)
        process.join()
        if process.exitcode:
            faults.append(f"{process.name} ended with {process.exitcode}")
    for line in wrong[:SHOWN] + faults[:SHOWN]:
        print(line)
    print(f"{rounds} rounds, {len(left)} names left, {len(wrong)} wrong answers, {len(faults)} wrong effects")
    sys.exit(1 if wrong or faults else 0)


main()
