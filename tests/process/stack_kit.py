"""stack_kit: what deploy/compose.yaml starts, here as plain processes: a poold with a token and a function that waits for
its release, and beside it programs whose configuration is the one in deploy/, with nothing but addresses and folders
replaced. For nginx_test.py, prometheus_test.py and drain_test.py.
"""
import contextlib
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import sys

from functions_kit import PATIENCE_S, House, expect, until

TOKEN = "0123456789abcdef" * 4
# An item ends when the test puts its value, so the test decides what ends when, without any sleep.
GATE = """
import poold

def held(name):
    return poold.Queue("gate-%s" % name).get()
"""


def program(*names):
    """The path of an installed program; without it the test is skipped."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    print("skipped: %s is not installed" % names[0])
    sys.exit(77)


def replaced(text, *pairs):
    """Each must be there exactly once: a file that is not what was thought is not tested."""
    for old, new in pairs:
        expect(text.count(old) == 1, "not once in the file:", old)
        text = text.replace(old, new)
    return text


class StackHouse(House):
    """A poold with a token. What it is asked may go through nginx: `via`."""

    def __init__(self, binary, *options, processes=4):
        super().__init__(binary, {"gate": {"runtime": "python", "module": "gate"}}, *options, processes=processes,
                         start=False)
        with open(os.path.join(self.functions, "gate.py"), "w", encoding="utf-8") as file:
            file.write(GATE)
        self.token_file = os.path.join(self.dir, "token")
        with open(self.token_file, "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        self.options += ["--token-file", self.token_file]
        self.via = None
        self.authorization = "Bearer " + TOKEN
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise

    def open(self, method, path, body=None, headers=(), address=None):
        """The connection and its answer, of which nothing is read yet."""
        connection = http.client.HTTPConnection(address or self.via or self.address, timeout=3 * PATIENCE_S)
        connection.request(method, path, body, {"Authorization": self.authorization, **dict(headers)})
        return connection, connection.getresponse()

    def ask(self, method, path, body=None, accept="application/json"):
        text = None if body is None else json.dumps(body)
        connection, answer = self.open(method, path, text, {"Accept": accept, "Content-Type": "application/json"})
        with contextlib.closing(connection):
            return answer.status, answer.read().decode("utf-8")

    def gates(self, prefix, count):
        """`count` names of gates."""
        names = ["%s%d" % (prefix, i) for i in range(count)]
        for name in names:
            status, text = self.ask("PUT", "/v1/queues/gate-" + name, {})
            expect(status // 100 == 2, status, text)
        return names

    def release(self, name):
        status, text = self.ask("POST", "/v1/queues/gate-%s/put" % name, {"value": name})
        expect(status // 100 == 2, status, text)

    def metric(self, name):
        """Of poold itself, not through anything."""
        connection, answer = self.open("GET", "/metrics", address=self.address)
        with contextlib.closing(connection):
            lines = answer.read().decode("utf-8").split("\n")
        found = [line for line in lines if line.startswith(name + " ")]
        expect(len(found) == 1, "no sample", name)
        return float(found[0].rsplit(" ", 1)[1])

    def server_pid(self):
        found = [pid for pid, (line, _) in self.marked().items() if line.split(" ")[0].endswith("poold-server")]
        return found[0] if found else None


class Follower:
    """Reads the results of a job line by line. `of` is a query, such as `order=completion`."""

    def __init__(self, house, job, of="", headers=(), address=None):
        self.connection, self.answer = house.open("GET", "/v1/jobs/%s/results?%s" % (job, of), headers=headers,
                                                  address=address)
        expect(self.answer.status == 200, self.answer.status)

    def line(self):
        """The next one that is no heartbeat; "" at a proper end of the body. A cut raises IncompleteRead."""
        while True:
            line = self.answer.readline().decode("utf-8")
            if line != "\n":
                return line

    def next(self):
        return json.loads(self.line())

    def is_silent(self):
        """Nothing lies there to be read. For what would have come by now."""
        return not select.select([self.connection.sock], [], [], 0)[0]

    def leave(self):
        self.connection.close()
        self.answer.close()


class Program:
    """A process beside poold; carries the house's mark, so that it goes with it."""

    def __init__(self, house, name, argv, **environment):
        self.log_file = os.path.join(house.dir, name + ".log")
        self.fds = environment.pop("pass_fds", ())
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=self.fds,
                                            env={**house.environment(), **environment})

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_until(self, true, what):
        until(lambda: true() or self.process.poll() is not None, lambda: what + ": " + self.log()[-2000:])
        expect(self.process.poll() is None, what + ":", self.log()[-2000:])

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def listener():
    """A socket on a free port, and "address:port"."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    return listening, "127.0.0.1:%d" % listening.getsockname()[1]
