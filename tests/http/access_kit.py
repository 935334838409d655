"""What the tests of access share: poold with a token file, clients with tokens, checks that go on."""
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

failures = []


def check(right, *text):
    if not right:
        failures.append(text)
        print("FAILED:", *text)


def secret(name):
    return (name + "-secret-").ljust(40, "x")


class Answer:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = answer.headers
        self.text = answer.read().decode()

    def json(self):
        return json.loads(self.text)

    def type(self):
        return self.json()["type"].rsplit(":", 1)[1]


class Service:
    """poold with these tokens (None: without), on a port of its own, with more options."""

    def __init__(self, binary, tokens, *options, host="127.0.0.1"):
        self.binary = binary
        self.host = host
        self.folder = tempfile.mkdtemp(prefix="poold-access-")
        self.tokens = os.path.join(self.folder, "tokens")
        self.options = list(options)
        if tokens is not None:
            self.write(tokens)
            self.options += ["--token-file", self.tokens]
        self.log_path = os.path.join(self.folder, "log")
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            begin = log.tell()
            listen = ("[%s]:0" if ":" in self.host else "%s:0") % self.host
            self.process = subprocess.Popen(
                [self.binary, "--listen", listen, "--data", os.path.join(self.folder, "data"), "--processes", "2",
                 *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.port = int(self.logged(r"listening on http://\S+:(\d+)\n", begin).group(1))

    def write(self, text):
        with open(self.tokens + ".new", "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
        os.rename(file.name, self.tokens)

    def log_size(self):
        return os.path.getsize(self.log_path)

    def logged(self, pattern, begin=0):
        """Waits until the log has it, behind its byte `begin`."""
        for _ in range(3000):
            with open(self.log_path, encoding="utf-8") as log:
                log.seek(begin)
                text = log.read()
            found = re.search(pattern, text)
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise SystemExit("never logged: %s\n%s" % (pattern, text[-2000:]))

    def reload(self, tokens, logged):
        self.write(tokens)
        begin = self.log_size()
        self.process.send_signal(signal.SIGHUP)
        return self.logged(logged, begin)

    def client(self, token=None, address=None):
        return Client(self.host, self.port, token, address)

    def kill_server(self):
        """kill -9; poold starts another."""
        pid = self.process.pid
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as children:
            for child in children.read().split():
                with open("/proc/%s/comm" % child, encoding="ascii") as name:
                    if "server" in name.read():
                        os.kill(int(child), signal.SIGKILL)
                        return

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(30) == 0, "poold ended with", self.process.returncode)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    def __init__(self, host, port, token, address):
        self.connection = http.client.HTTPConnection(host, port, timeout=30,
                                                     source_address=(address, 0) if address else None)
        self.headers = {"Authorization": "Bearer " + token} if token else {}

    def begin(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        self.connection.request(method, path, text, dict(self.headers, **headers))
        return self.connection.getresponse()

    def ask(self, method, path, body=None, **headers):
        return Answer(self.begin(method, path, body, **headers))

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=None, **headers):
        return self.ask("POST", path, body, **headers)
