#!/usr/bin/env python3
"""poold --backup: whole while the service works, without one, when the disk is full, when it is killed; and a poold that
is started on the copy.

    tests/process/backup_test.py BUILD/bin/poold [PATTERN]
"""
import fcntl
import hashlib
import json
import os
import pty
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.parse

from functions_kit import PATIENCE_S, House, expect, run, until

NO_INPUT, CANNOT_CREATE, IO_ERROR = 66, 73, 74


def data_of(house):
    return os.path.join(house.dir, "data")


def backup(house, file, *, wanted=0, **how):
    """Runs it to its end: (stdout, stderr)."""
    done = subprocess.run([house.binary, "--backup", file, "--data", data_of(house)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE_S, env=house.environment(), check=False,
                          **how)
    expect(done.returncode == wanted, "poold --backup ended with", done.returncode, "not", wanted, done.stdout, done.stderr)
    expect(not os.path.lexists(file + ".partial"), "a partial file is left")
    return done.stdout, done.stderr


def refused(house, file, status, text, **how):
    out, err = backup(house, file, wanted=status, **how)
    expect(out == "" and re.fullmatch(r"poold: backup: [^\n]*\n", err) and text in err, "it says", out, err)


def jobs_in(file):
    """The ids in a backup that is sound, is one file, and is its owner's only."""
    expect(os.stat(file).st_mode & 0o777 == 0o600, "mode", oct(os.stat(file).st_mode))
    db = sqlite3.connect("file:%s?mode=ro&immutable=1" % urllib.parse.quote(file), uri=True)
    try:
        expect(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "the copy is damaged")
        expect(db.execute("PRAGMA journal_mode").fetchone() == ("delete",), "the copy needs a WAL")
        return {row[0] for row in db.execute("SELECT id FROM job WHERE deleted = 0")}
    finally:
        db.close()


def begin_on(binary, file):
    """Another poold, on a data directory that has nothing but the backup."""
    house = House(binary, {}, start=False)
    os.mkdir(data_of(house), 0o700)
    shutil.copy(file, os.path.join(data_of(house), "poold.db"))
    house.start()
    return house


def digest(*files):
    whole = hashlib.sha256()
    for file in files:
        with open(file, "rb") as bytes_:
            whole.update(bytes_.read())
    return whole.hexdigest()


def fill(house, megabytes):
    item = json.dumps("x" * 1000)
    job = house.submit("echo", json.loads("[" + ",".join([item] * (megabytes * 500)) + "]"))
    house.ended(job)
    return job


class Submitters:
    """Threads that submit all the time; `known` has each job that was answered, with its items."""

    def __init__(self, house, count=3):
        self.house, self.known, self.over, self.wrong = house, {}, False, []
        self.threads = [threading.Thread(target=self.submit, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def submit(self, thread):
        try:
            n = thread * 1000000
            while not self.over:
                n += 1
                items = list(range(n, n + 5))
                self.known[self.house.submit("square", items)] = items
        except Exception as problem:  # pylint: disable=broad-except
            self.wrong.append(problem)

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        expect(not self.wrong, "submitting failed:", self.wrong)


# ---- the checks ----

def under_load(binary):
    """Each job that was answered before the backup began is in it; on the copy all of them end, with the right results."""
    house = House(binary, {})
    other = None
    file = os.path.join(house.dir, "copy.db")
    try:
        fill(house, 4)
        slow = house.submit("sleep", [0.02] * 200)
        for path, body in (("values/v", {"typecode": "q", "value": -5}), ("arrays/a", {"typecode": "d", "values": [1, 2.5]}),
                           ("dicts/d", {}), ("dicts/d/key", [1, 2])):
            status, text = house.ask("PUT", "/v1/" + path, body)
            expect(status // 100 == 2, path, status, text)
        load = Submitters(house)
        until(lambda: len(load.known) > 20, "the submitters")
        before = dict(load.known)
        out, err = backup(house, file)
        load.end()
        match = re.fullmatch(re.escape(file) + r": (\d+) bytes, (\d+) jobs, \d+\.\d s\n", out)
        expect(match and err == "", "it says", out, err)
        ids = jobs_in(file)
        expect(int(match[1]) == os.path.getsize(file) and int(match[2]) == len(ids), out, len(ids))
        expect(set(before) | {slow} <= ids, "not in the copy:", set(before) - ids)
        expect(len(load.known) > len(before), "nothing was submitted meanwhile")
        other = begin_on(binary, file)
        for job, items in before.items():
            lines = other.results(job)
            expect([(l["index"], l["value"]) for l in lines] == [(i, x * x) for i, x in enumerate(items)], job, lines)
        expect(len(other.results(slow)) == 200, "the job that was running")
        for path, value in (("values/v", -5), ("arrays/a/1", 2.5), ("dicts/d/key", [1, 2])):
            whole = other.get("/v1/" + path)
            expect(whole == value or whole["value"] == value, path, whole)
        expect(other.value("square", 7) == 49, "the copy does not work")
        other.stop()
        tables = sqlite3.connect(os.path.join(data_of(other), "poold.db")).execute("SELECT name FROM sqlite_schema")
        expect("backup_file" not in [row[0] for row in tables], "what was unpacked is still in the database")
        other.start()  # and again, from its own files
        expect(other.get("/v1/values/v")["value"] == -5, "the value after another start")
        other.stop()
        house.stop()
    finally:
        house.clean_up()
        if other:
            other.clean_up()


def without_service(binary):
    """After kill -9 the WAL holds what is not in the database yet: it is in the copy, and stays where it is."""
    house = House(binary, {})
    other = None
    file = os.path.join(house.dir, "copy.db")
    database = os.path.join(data_of(house), "poold.db")
    try:
        for name in "kept", "lost":
            house.ask("PUT", "/v1/values/" + name, {"typecode": "i", "value": 7})
        load = Submitters(house, 1)
        until(lambda: len(load.known) > 50, "the submitters")
        load.end()
        house.kill_all()
        os.unlink(next(os.path.join(data_of(house), "objects", f) for f in os.listdir(os.path.join(data_of(house), "objects"))
                       if f.startswith("values-lost.")))
        expect(os.path.getsize(database + "-wal") > 0, "there is no WAL")
        before = digest(database, database + "-wal")
        backup(house, file)
        backup(house, file)
        expect(digest(database, database + "-wal") == before, "the backup has written to the database")
        expect(set(load.known) <= jobs_in(file), "not in the copy:", set(load.known) - jobs_in(file))
        other = begin_on(binary, file)
        expect(other.get("/v1/values/kept")["value"] == 7, "the value")
        expect(other.ask("GET", "/v1/values/lost")[0] == 404, "a value without memory")
        other.stop()
    finally:
        house.clean_up()
        if other:
            other.clean_up()


def wrong_places(binary):
    house = House(binary, {}, start=False)
    here = os.path.join(house.dir, "copy.db")
    database = os.path.join(data_of(house), "poold.db")
    try:
        refused(house, here, NO_INPUT, "poold.db: No such file or directory")
        os.mkdir(data_of(house))
        refused(house, here, NO_INPUT, "poold.db: No such file or directory")
        with open(database, "w", encoding="ascii") as file:
            file.write("no database " * 100)
        refused(house, here, NO_INPUT, "file is not a database")
        os.unlink(database)
        sqlite3.connect(database).execute("CREATE TABLE t (x)")
        refused(house, here, NO_INPUT, "not poold's database")
        os.unlink(database)
        house.start()
        refused(house, os.path.join(house.dir, "nowhere", "copy.db"), CANNOT_CREATE, "No such file or directory")
        refused(house, "/proc/copy.db", CANNOT_CREATE, "/proc/copy.db.partial: ")
        refused(house, house.dir, CANNOT_CREATE, "no file")
        for own in "poold.db", "poold.db-wal", "lock":
            refused(house, os.path.join(data_of(house), own), CANNOT_CREATE, "the service's own file")
            refused(house, own, CANNOT_CREATE, "the service's own file", cwd=data_of(house))
        refused(house, os.path.join(data_of(house), "objects", "x"), CANNOT_CREATE, "the service's own file")
        with open(here + ".partial", "w", encoding="ascii") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            done = subprocess.run([binary, "--backup", here, "--data", data_of(house)], capture_output=True, text=True,
                                  timeout=PATIENCE_S, check=False)
            expect(done.returncode == CANNOT_CREATE and "another backup" in done.stderr, done)
        backup(house, "file:x?mode=ro", cwd=data_of(house))  # a name like others, also in the data directory
        jobs_in(os.path.join(data_of(house), "file:x?mode=ro"))
        expect(house.value("square", 3) == 9, "the service")
        house.stop()
    finally:
        house.clean_up()


def no_room(binary):
    """A full disk: said, the partial file gone, the old copy untouched, the service at work."""
    house = House(binary, {})
    file = os.path.join(house.dir, "copy.db")
    small = os.path.join(house.dir, "small")
    try:
        backup(house, file)
        fill(house, 4)
        before = digest(file)
        refused(house, file, IO_ERROR, "copy.db.partial: disk I/O error",
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)))
        expect(digest(file) == before, "the old copy has changed")
        os.mkdir(small)
        script = 'mount -t tmpfs -o size=1m none "$1" || exit 77; s=0; "$2" --backup "$1/x" --data "$3" || s=$?; ls "$1"; exit $s'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "-", small, binary, data_of(house)], text=True,
                              capture_output=True, timeout=PATIENCE_S, check=False)
        if done.returncode not in (1, 77, 127):  # no right to mount
            expect(done.returncode == IO_ERROR and "full" in done.stderr and done.stdout == "", done)
        expect(house.value("square", 3) == 9, "the service")
        house.stop()
    finally:
        house.clean_up()


def hit(house, file, number):
    """Starts a backup and sends it a signal while it copies; whether it was quick enough."""
    process = subprocess.Popen([house.binary, "--backup", file, "--data", data_of(house)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, env=house.environment())
    while process.poll() is None:
        try:
            if os.path.getsize(file + ".partial") > 1 << 20:
                break
        except FileNotFoundError:
            pass
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    expect(process.returncode in (0, -number) and err == b"", "it ended with", process.returncode, err)
    return process.returncode != 0


def signals(binary):
    """SIGTERM: nothing is left. kill -9: a partial file is, which the next backup takes. The old copy stays, the service
    notices nothing."""
    house = House(binary, {})
    file = os.path.join(house.dir, "copy.db")
    try:
        fill(house, 16)
        backup(house, file)
        first = set(jobs_in(file))
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGKILL:
            before = digest(file)
            tries = 0
            while not hit(house, file, number):
                before = digest(file)
                tries += 1
                expect(tries < 20, "never hit it")
            expect(digest(file) == before, "the old copy has changed")
            expect(os.path.exists(file + ".partial") == (number == signal.SIGKILL), number, "and the partial file")
        expect(house.value("square", 3) == 9, "the service")
        backup(house, file)
        expect(len(jobs_in(file)) == len(first) + 1, "the last copy")
        expect(sorted(f for f in os.listdir(house.dir) if f.startswith("copy.db")) == ["copy.db"], os.listdir(house.dir))
        house.stop()
    finally:
        house.clean_up()


def terminal(binary):
    """Progress is for eyes."""
    house = House(binary, {})
    try:
        fill(house, 4)
        ours, theirs = pty.openpty()
        done = subprocess.run([binary, "--backup", os.path.join(house.dir, "copy.db"), "--data", data_of(house)], check=False,
                              stdout=subprocess.PIPE, stderr=theirs, timeout=PATIENCE_S)
        os.close(theirs)
        shown = os.read(ours, 65536)
        os.close(ours)
        expect(done.returncode == 0 and done.stdout.count(b"\n") == 1, done)
        expect(re.search(rb"\r *\d+ % of \d+ MiB", shown) and shown.endswith(b"\r\033[K"), shown)
        house.stop()
    finally:
        house.clean_up()


CHECKS = [(check.__name__, check) for check in (under_load, without_service, wrong_places, no_room, signals, terminal)]

if __name__ == "__main__":
    sys.exit(run("backup", os.path.abspath(sys.argv[1]), CHECKS, at_once=3, only=sys.argv[2] if len(sys.argv) > 2 else None) != 0)
