"""objects_kit: a poold whose functions share objects, and clients that do over HTTP what its tasks do by calls; for
objects_history_test.py and objects_kill_test.py."""
import http.client
import json
import os
import shutil
import urllib.parse

from functions_kit import HERE, House, PATIENCE_S, expect

SANITIZED = os.environ.get("OBJECTS_TEST_SANITIZED") == "1"
LANGUAGES = {"python": "py.act", "node": "js.act", "c": "c.act", "shell": "sh"}
MANIFESTS = {
    "py": {"runtime": "python", "module": "actor", "name": "py"},
    "js": {"runtime": "node", "module": "actor", "name": "js"},
    "c": {"plugin": "objects_plugin.so", "name": "c"},
    "sh": {"command": ["./actor.sh"], "name": "sh", "input": "text", "output": "json"},
}


class Refused(Exception):
    """A problem document."""

    def __init__(self, status, problem):
        super().__init__("%d %s" % (status, json.dumps(problem)))
        self.status = status
        self.type = problem["type"].rsplit("/", 1)[-1].rsplit(":", 1)[-1]


class ObjectsHouse(House):
    def __init__(self, binary, plugins, *options, processes=8, start=True):
        super().__init__(binary, MANIFESTS, *options, processes=processes, start=False)
        for name in os.listdir(os.path.join(HERE, "objects_house")):
            if os.path.isfile(os.path.join(HERE, "objects_house", name)):
                shutil.copy(os.path.join(HERE, "objects_house", name), self.functions)
        os.symlink(os.path.join(plugins, "objects_plugin.so"), os.path.join(self.functions, "objects_plugin.so"))
        try:
            if start:
                self.start()
        except BaseException:
            self.clean_up()
            raise

    def client(self):
        return Client(lambda: self.address)

    def act(self, language, do, name, who, n):
        """Submits a task; its answer is had by history()."""
        item = "%s %s %s %d" % (do, name, who, n) if language == "shell" else {"do": do, "name": name, "who": who, "n": n}
        return self.submit(LANGUAGES[language], item, kind="apply", max_attempts=1)

    def history(self, job):
        line = self.results(job)[0]
        expect("value" in line, line)
        return line["value"]


class Client:
    """One connection that is kept. Answers are what the operation gives; a problem is raised as Refused."""

    def __init__(self, address):
        self.address = address
        self.connection = None

    def ask(self, method, path, body=None, headers=(), query=None):
        """(status, headers, answer). Network trouble (a server that is killed) is an OSError or HTTPException."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address(), timeout=3 * PATIENCE_S)
        if query:
            path += "?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})
        try:
            text = None if body is None else json.dumps(body)
            self.connection.request(method, path, text, {"Content-Type": "application/json", **dict(headers)})
            answer = self.connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status >= 400:
            raise Refused(answer.status, json.loads(text))
        return answer.status, answer.headers, json.loads(text) if text else None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def create(self, path, **configuration):
        return self.ask("PUT", "/v1/" + path, configuration)[2]

    def inspect(self, path):
        return self.ask("GET", "/v1/" + path)[2]

    # ---- queues ----

    def put(self, name, value, wait=None):
        return self.ask("POST", "/v1/queues/%s/put" % name, {"value": value}, query={"wait": wait})[2]

    def get(self, name, wait=PATIENCE_S, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", "/v1/queues/%s/get" % name, headers=headers, query={"wait": wait})[2]["value"]

    def get_many(self, name, n, wait=None, key=None, lease=None):
        headers = {"Idempotency-Key": key} if key else {}
        return self.ask("POST", "/v1/queues/%s/get" % name, headers=headers, query={"wait": wait, "n": n, "lease": lease})[2]

    def ack(self, name, *leases):
        return self.ask("POST", "/v1/queues/%s/ack" % name, {"leases": list(leases)})

    def nack(self, name, *leases):
        return self.ask("POST", "/v1/queues/%s/nack" % name, {"leases": list(leases)})

    def drain(self, name):
        """All that is there."""
        got = []
        while True:
            try:
                got += self.get_many(name, 10000)["values"]
            except Refused as refused:
                expect(refused.type == "queue-empty", refused)
                return got

    # ---- locks ----

    def acquire(self, name, ttl=PATIENCE_S, wait=PATIENCE_S):
        return self.ask("POST", "/v1/locks/%s/acquire" % name, {"ttl": ttl}, query={"wait": wait})[2]

    def release(self, name, token):
        return self.ask("POST", "/v1/locks/%s/release" % name, {"token": token})

    # ---- dicts, lists, values ----

    def named(self, path, op, headers=(), **args):
        return self.ask("POST", "/v1/" + path, {op: args}, headers)[2]

    def add(self, path, **args):
        return self.named(path, "add", **args)["value"]

    def entry(self, path):
        """(value, tag)"""
        _, headers, answer = self.ask("GET", "/v1/" + path)
        return answer["value"], headers["ETag"]

    def set(self, path, value, tag=None):
        return self.ask("PUT", "/v1/" + path, value, {"If-Match": tag} if tag else {})

    # ---- pipes ----

    def send(self, name, end, value, wait=PATIENCE_S):
        return self.ask("POST", "/v1/pipes/%s/%s/send" % (name, end), {"value": value}, query={"wait": wait})

    def recv(self, name, end, wait=PATIENCE_S):
        return self.ask("POST", "/v1/pipes/%s/%s/recv" % (name, end), query={"wait": wait})[2]["value"]

    def close_end(self, name, end):
        return self.ask("POST", "/v1/pipes/%s/%s/close" % (name, end))
