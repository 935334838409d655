#!/usr/bin/env python3
"""deploy/nginx.conf in front of a real poold: every byte goes on when it comes, in both directions.

    tests/process/nginx_test.py SOURCE_DIR build/bin/poold [PATTERN]      exit status 0 if all is true, 77 without nginx

The file is the one that is shipped; addresses, folders and its long time-outs are replaced. nginx inherits its socket,
so no port is fixed and none is guessed.
"""
import contextlib
import http.client
import json
import os
import re
import signal
import sys
import threading
import time

from functions_kit import PATIENCE_S, expect, run, until
from stack_kit import TOKEN, Follower, Program, StackHouse, listener, program, replaced

HEARTBEAT_S = 10  # server/http/stream.c
NGINX_PATIENCE_S = 11  # instead of an hour: less than the silence below, more than a heartbeat
BODY_MAX = 1 << 20


class Nginx(Program):
    def __init__(self, house, source):
        self.dir = os.path.join(house.dir, "nginx")
        os.mkdir(self.dir)
        with open(os.path.join(source, "deploy", "nginx.conf"), encoding="utf-8") as file:
            text = file.read()
        listening, self.address = listener()
        patience = "%ds" % NGINX_PATIENCE_S
        text = replaced(text, ("listen 8080;", "listen %s;" % self.address),
                        ("server poold:8080;", "server %s;" % house.address),
                        ("proxy_read_timeout 1h;", "proxy_read_timeout %s;" % patience),
                        ("proxy_send_timeout 1h;", "proxy_send_timeout %s;" % patience),
                        ("send_timeout 1h;  ", "send_timeout %s;" % patience))
        text = text.replace("/tmp/", self.dir + "/").replace("/dev/std", self.dir + "/std")
        with open(self.dir + "/nginx.conf", "w", encoding="utf-8") as file:
            file.write(text)
        more = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")  # the folder is ours alone
        super().__init__(house, "nginx", [program("nginx", "/usr/sbin/nginx"), "-p", self.dir, "-c",
                                          self.dir + "/nginx.conf", "-g", more],
                         pass_fds=(listening.fileno(),), NGINX="%d;" % listening.fileno())
        listening.close()

    def workers(self):
        """Kilobytes of each nginx worker's peak."""
        peaks = []
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="utf-8") as file:
            for pid in file.read().split():
                with open("/proc/%s/status" % pid, encoding="utf-8") as status:
                    peaks.append(int(re.search(r"^VmHWM:\s+(\d+)", status.read(), re.M).group(1)))
        return peaks

    def on_disk(self):
        """Files that nginx keeps of bodies and answers, also those that it has unlinked already."""
        found = []
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="utf-8") as file:
            for pid in file.read().split():
                folder = "/proc/%s/fd/" % pid
                for fd in os.listdir(folder):
                    with contextlib.suppress(OSError):
                        found.append(os.readlink(folder + fd))
        return [name for name in found if "/client_body" in name or "/proxy" in name]


# ---- results go line by line ----


def in_completion_order(house):
    names = house.gates("done", 4)
    job = house.submit("gate.held", names, chunksize=1)
    follower = Follower(house, job, "order=completion")
    expect(follower.answer.getheader("Content-Type") == "application/x-ndjson")
    for index in (2, 0, 3, 1):
        house.release(names[index])
        expect(follower.next() == {"index": index, "value": names[index]})
    expect(follower.next()["end"] is True and follower.line() == "")


def in_input_order(house):
    names = house.gates("in", 4)
    job = house.submit("gate.held", names, chunksize=1)
    follower = Follower(house, job, "order=input")
    for index in (0, 1):
        house.release(names[index])
        expect(follower.next() == {"index": index, "value": names[index]})
    house.release(names[3])
    until(lambda: house.get("/v1/jobs/" + job)["counts"]["succeeded"] == 3, "item 3 to end")
    expect(follower.is_silent(), "a result came out of order")
    house.release(names[2])
    expect([follower.next()["index"], follower.next()["index"]] == [2, 3])
    expect(follower.next()["end"] is True and follower.line() == "")


def submitted_and_followed(house):
    """One request: the job's results stream back on the POST, the first while the second is held."""
    names = house.gates("post", 2)
    connection, answer = house.open("POST", "/v1/jobs", json.dumps({"function": "gate.held", "map": names, "chunksize": 1}),
                                    {"Accept": "application/x-ndjson", "Content-Type": "application/json"})
    with contextlib.closing(connection):
        expect(answer.status == 200 and answer.getheader("Location"), answer.status)
        for index, name in enumerate(names):
            house.release(name)
            expect(json.loads(answer.readline()) == {"index": index, "value": name})
        expect(json.loads(answer.readline())["end"] is True)


def events(house):
    """Server-sent events have ids; a browser that comes back with the last one goes on behind it."""
    def event(answer):
        fields = {}
        while True:
            line = answer.readline().decode("utf-8").rstrip("\n")
            if not line and fields:
                return fields
            name, _, value = line.partition(": ")
            if name and not line.startswith(":"):
                fields[name] = value

    names = house.gates("sse", 3)
    job = house.submit("gate.held", names, chunksize=1)
    browser = {"Accept": "text/event-stream"}
    first = Follower(house, job, "order=completion", browser)
    expect(first.answer.getheader("Content-Type").startswith("text/event-stream"))
    house.release(names[1])
    got = event(first.answer)
    expect(got["id"] == "1" and json.loads(got["data"])["index"] == 1, got)
    first.leave()
    again = Follower(house, job, "order=completion", {**browser, "Last-Event-ID": "1"})
    for position, index in ((2, 2), (3, 0)):
        house.release(names[index])
        got = event(again.answer)
        expect(got["id"] == str(position) and json.loads(got["data"])["index"] == index, got)
    got = event(again.answer)
    expect(got["event"] == "end" and json.loads(got["data"])["end"] is True, got)


def silence(house):
    """Nothing happens for longer than nginx waits for the next byte: heartbeats keep the stream."""
    name, = house.gates("late", 1)
    job = house.submit("gate.held", [name])
    start = time.monotonic()
    follower = Follower(house, job)
    expect(follower.answer.readline() == b"\n", "that is no heartbeat")
    first = time.monotonic() - start
    expect(HEARTBEAT_S - 2 < first < NGINX_PATIENCE_S + PATIENCE_S, "the heartbeat came after", first, "s")
    time.sleep(max(0, NGINX_PATIENCE_S + 1 - first))  # the one thing that takes its time: nginx's patience is over
    house.release(name)
    expect(follower.next()["value"] == name and follower.next()["end"] is True)


# ---- uploads ----


def upload(house):
    """The first half of a body is a job that runs before the second half is sent; nothing is kept on nginx's disk."""
    line, halves, each = b'"' + b"x" * 300 + b'"\n', 2, 60000
    connection = http.client.HTTPConnection(house.via, timeout=3 * PATIENCE_S)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/v1/jobs?function=echo&name=upload&retention=60")
        for name, value in (("Authorization", "Bearer " + TOKEN), ("Content-Type", "application/x-ndjson"),
                            ("Transfer-Encoding", "chunked")):
            connection.putheader(name, value)
        connection.endheaders()

        def send(count):
            piece = line * count
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))

        def job():
            found = [j for j in house.get("/v1/jobs?function=echo")["jobs"] if j["name"] == "upload"]
            return found[0] if found else None

        for _ in range(each // 1000):
            send(1000)
        until(lambda: job() and job()["counts"]["succeeded"] == each, lambda: "half an upload to run: %r" % job())
        expect(not house.nginx.on_disk(), "nginx keeps", house.nginx.on_disk())
        for _ in range(each // 1000):
            send(1000)
        connection.send(b"0\r\n\r\n")
        answer = connection.getresponse()
        view = json.loads(answer.read())
        expect(answer.status == 202 and view["counts"]["total"] == halves * each, answer.status, view)
    read_slowly(house, view["id"], halves * each)
    peak = max(house.nginx.workers())
    expect(peak < 24 * 1024, "an nginx worker took", peak, "KiB for", halves * each * len(line) >> 20, "MiB")


def read_slowly(house, job, count):
    """Who does not read holds poold up, not nginx's memory or disk."""
    house.ended(job)
    follower = Follower(house, job)
    expect(follower.next()["index"] == 0)
    expect(not house.nginx.on_disk(), "nginx keeps", house.nginx.on_disk())
    for index in range(1, count):
        expect(follower.line().startswith('{"index":%d,' % index), index)
    expect(follower.next()["end"] is True)


# ---- what passes through unchanged ----


def both(house, method, path, body=None, headers=()):
    """The same from poold and from poold behind nginx."""
    answers = []
    for address in (house.address, house.via):
        connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k not in ("Date", "Server", "Connection", "Transfer-Encoding",
                                                                      "Content-Length")}
            answers.append((answer.status, kept, answer.read()))
    expect(answers[0] == answers[1], "nginx changes", answers[0], "to", answers[1])
    return answers[0]


def problems(house):
    token = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json"}

    def is_problem(answer, status, kind):
        expect(answer[0] == status and answer[1]["Content-Type"] == "application/problem+json", answer)
        expect(json.loads(answer[2])["type"] == "urn:poold:problem:" + kind, answer)

    answer = both(house, "GET", "/v1/jobs")
    is_problem(answer, 401, "unauthorized")
    expect("Bearer" in answer[1]["WWW-Authenticate"], answer)
    large = '{"function":"echo","apply":"%s"}' % ("x" * BODY_MAX)
    is_problem(both(house, "POST", "/v1/jobs", large, token), 413, "body-too-large")
    is_problem(both(house, "POST", "/v1/jobs", '{"function":"echo","map":[1,,2]}', token), 400, "invalid-json")
    is_problem(both(house, "GET", "/v1/jobs/01jd7k3xq000000a", None, token), 404, "not-found")
    is_problem(both(house, "DELETE", "/v1/pool", None, token), 405, "method-not-allowed")


def hosts(house):
    token = {"Authorization": "Bearer " + TOKEN}
    expect(both(house, "GET", "/v1/functions", None, {**token, "Host": "pool.example"})[0] == 200)
    expect(both(house, "GET", "/v1/functions", None, {**token, "Host": "evil.example"})[0] == 421)
    for origin, status in (("http://" + house.via, 202), ("http://evil.example", 403)):  # the dashboard, and another site
        connection, answer = house.open("POST", "/v1/jobs", '{"function":"echo","apply":1}', {"Origin": origin})
        with contextlib.closing(connection):
            expect(answer.status == status, "from", origin, answer.status)


def connections_are_kept(house):
    """nginx makes few connections to poold for many requests of one client after the other."""
    before = house.metric("poold_http_connections_accepted_total")
    connection = http.client.HTTPConnection(house.via, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        for _ in range(300):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
            expect(answer.status == 200, answer.status)
    after = house.metric("poold_http_connections_accepted_total")
    expect(after - before < 100, after - before, "connections for 300 requests")  # also those of the checks beside us


# ---- who goes, and who dies ----


def leaves(house):
    """A client that goes is gone for poold, too: nginx holds no stream for nobody."""
    names = house.gates("left", 1)
    job = house.submit("gate.held", names)
    before = house.metric("poold_http_waiting")
    followers = [Follower(house, job) for _ in range(20)]
    waiting = house.metric("poold_http_waiting")
    expect(waiting >= 20, "only", waiting, "of 20 streams;", before, "before")
    for follower in followers:
        follower.leave()
    until(lambda: house.metric("poold_http_waiting") <= waiting - 20, "poold to notice that all have left")
    house.release(names[0])
    expect(house.ended(job)["state"] == "succeeded", "leaving cancelled the job")


def dies(house):
    """kill -9 of the server: a cut or a 502/503, and whoever comes again with from= has every line once."""
    names = house.gates("die", 3)
    job = house.submit("gate.held", names, chunksize=1, max_attempts=3)
    follower = Follower(house, job, "order=completion")
    house.release(names[1])
    lines = [follower.next()]
    os.kill(house.server_pid(), signal.SIGKILL)
    try:
        expect(follower.line() == "", "the stream ended as if all were there")
    except http.client.IncompleteRead:
        pass

    def again():
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection, answer = house.open("GET", "/v1/jobs/%s/results?order=completion&from=%d" % (job, len(lines)))
            if answer.status == 200:
                return connection, answer
            expect(answer.status in (502, 503), answer.status)
            connection.close()
        return None

    connection, answer = until(again, "the service to come back")
    with contextlib.closing(connection):
        for index in (2, 0):
            house.release(names[index])
            lines.append(json.loads(answer.readline().strip() or answer.readline()))
        expect(json.loads(answer.readline())["end"] is True)
    expect([line["index"] for line in lines] == [1, 2, 0], lines)


def drains(house):
    """SIGTERM: who follows is told to come again, and nginx says 502 until there is somebody again."""
    name, = house.gates("drain", 1)
    follower = Follower(house, house.submit("gate.held", [name]))
    house.process.terminate()
    expect(follower.next() == {"end": False, "reason": "draining", "next": 0} and follower.line() == "")
    expect(house.process.wait(PATIENCE_S) == 0)
    expect(house.ask("GET", "/healthz")[0] == 502)


CHECKS = [("completion order", in_completion_order), ("input order", in_input_order), ("POST and follow",
          submitted_and_followed), ("events", events), ("upload", upload), ("problems", problems), ("hosts", hosts),
          ("connections are kept", connections_are_kept), ("a client leaves", leaves)]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    source, binary = sys.argv[1:3]
    only = sys.argv[3] if len(sys.argv) > 3 else None
    program("nginx", "/usr/sbin/nginx")
    house = StackHouse(binary, "--allow-hosts", "pool.example", "--max-body", str(BODY_MAX), "--grace", "1s", processes=16)
    try:
        house.nginx = Nginx(house, source)
        house.nginx.wait_until(lambda: os.path.exists(house.nginx.dir + "/nginx.pid"), "nginx does not start")
        house.via = house.nginx.address
        slow = threading.Thread(target=lambda: wrong.append(run("nginx, silence", house, [("silence", silence)], only=only)))
        wrong = []
        slow.start()
        wrong.append(run("nginx", house, CHECKS, only=only))
        slow.join()
        wrong.append(run("nginx, kill -9", house, [("the server dies", dies)], only=only))
        wrong.append(run("nginx, drain", house, [("the service is stopped", drains)], only=only))
        house.nginx.stop()
    finally:
        house.clean_up()
    sys.exit(sum(wrong) > 0)


main()
