"""Limits of clients over HTTP, against the real binaries: requests a second, streams and waits, unfinished jobs; of tokens
and of addresses; others are not affected."""
import argparse
import http.client
import socket
import subprocess
import sys
import time

from access_kit import Service, check, failures, secret

NDJSON = {"Content_Type": "application/x-ndjson"}


def refused(answer, *title):
    check(answer.status == 429 and answer.type() == "too-many-requests", *title, answer.status, answer.text[:300])
    check(answer.headers["Retry-After"] == "1", *title, answer.headers)


def until(test, *title):
    """What follows from a closed connection, or a stopped item, comes soon."""
    for _ in range(2000):
        if test():
            return
        time.sleep(0.005)
    check(False, *title)


def is_ready(service):
    try:
        return service.client().get("/readyz").status == 200
    except (ConnectionError, http.client.HTTPException):
        return False


# ---- requests a second

def flood(client, count, path="/v1/jobs"):
    """How many were answered with what, and how long it took."""
    begin, seen = time.monotonic(), {}
    for _ in range(count):
        last = client.get(path)
        seen[last.status] = seen.get(last.status, 0) + 1
        if last.status == 429:
            refused(last, path)
    return seen, time.monotonic() - begin


def expect_rate(seen, seconds, rate, status):
    check(seen.get(429) and rate <= seen.get(status, 0) <= rate * (1 + seconds) + 1, seen, "in", seconds, "at", rate)


def rates(service):
    expect_rate(*flood(service.client(secret("slow")), 20), 2, 200)
    check(flood(service.client(secret("slow")), 20, "/v1/access")[0].get(429), "another connection of the same client")
    check(flood(service.client(secret("slow")), 60, "/healthz")[0] == {200: 60}, "/healthz is not limited")
    check(flood(service.client(secret("slow")), 20, "/readyz")[0] == {200: 20}, "/readyz is not limited")
    check(flood(service.client(secret("fast")), 200)[0] == {200: 200}, "a token without a limit")
    expect_rate(*flood(service.client(secret("nobody")), 20), 2, 401)
    check(flood(service.client(), 60, "/dashboard/app.js")[0] == {200: 60}, "a page's files are not limited")
    check(flood(service.client(), 20, "/openapi.yaml")[0].get(429), "who has no token is an address")
    check(flood(service.client(address="127.0.0.2"), 2, "/openapi.yaml")[0] == {200: 2}, "another address")
    time.sleep(1)  # Retry-After
    check(flood(service.client(secret("slow")), 2)[0] == {200: 2}, "a second later")


# ---- streams and waits

def streams(service):
    few, other = service.client(secret("streams")), service.client(secret("fast"))
    job = other.post("/v1/jobs", {"function": "echo", "map": [1], "open": True}).json()["id"]
    path = "/v1/jobs/%s/results" % job
    held = [service.client(secret("streams")) for _ in range(2)]
    for client in held:
        check(client.begin("GET", path).readline() == b'{"index":0,"value":1}\n', "two streams are allowed")
    refused(few.get(path), "the third stream")
    refused(few.get("/v1/jobs/%s?wait=10" % job), "a wait")
    refused(few.post("/v1/jobs?wait=10", {"function": "square", "apply": 1}), "a submission that waits")
    refused(few.post("/v1/jobs", {"function": "square", "apply": 1}, Accept="application/x-ndjson"), "… that streams")
    refused(few.ask("POST", "/v1/queues/q/get?wait=10"), "a wait for an object")
    check(few.get(path + "?format=json").status == 200 and few.get("/v1/jobs/" + job).status == 200, "what does not wait")
    check(other.post("/v1/jobs?wait=10", {"function": "square", "apply": 1}).status == 200, "another client")
    held.pop().connection.close()
    until(lambda: few.post("/v1/jobs?wait=10", {"function": "square", "apply": 1}).status == 200, "one has ended")
    held.append(service.client(secret("streams")))
    check(held[-1].begin("GET", path).readline() == b'{"index":0,"value":1}\n', "a second one again")
    refused(few.get(path), "the third stream")
    other.post("/v1/jobs/%s/close" % job)


# ---- unfinished jobs

def unfinished(service):
    few, other = service.client(secret("jobs")), service.client(secret("fast"))
    body = {"function": "echo", "map": [], "open": True}
    key = {"Idempotency_Key": "first"}
    jobs = [few.post("/v1/jobs", body, **(key if i == 0 else {})).json() for i in range(3)]
    check(all(job["client"] == "jobs" for job in jobs), jobs)
    refused(few.post("/v1/jobs", body), "the fourth job")
    refused(few.post("/v1/jobs?function=echo", "1\n2\n", **NDJSON), "as NDJSON")
    refused(few.post("/v1/jobs?wait=10", {"function": "square", "apply": 1}), "an apply")
    check(few.post("/v1/jobs", body, **key).json()["id"] == jobs[0]["id"], "what is there already may be asked for again")
    check(few.post("/v1/jobs/%s/items" % jobs[0]["id"], [1]).status == 200, "more items")
    check(other.post("/v1/jobs?wait=10", {"function": "square", "apply": 1}).status == 200, "another client")

    service.kill_server()
    until(lambda: is_ready(service), "it is back")
    few = service.client(secret("jobs"))
    refused(few.post("/v1/jobs", body), "after a restart")
    few.post("/v1/jobs/%s/cancel" % jobs[1]["id"])
    until(lambda: few.post("/v1/jobs", body).status == 202, "one was cancelled")
    refused(few.post("/v1/jobs", body), "and another took its place")
    few.post("/v1/jobs/%s/close" % jobs[0]["id"])
    until(lambda: few.get("/v1/jobs/" + jobs[0]["id"]).json()["state"] == "succeeded", "one ended by itself")
    check(few.post("/v1/jobs", body).status == 202, "and made room for one")


def failed_again(service):
    """A retry is a new job."""
    few = service.client(secret("jobs"))
    for job in few.get("/v1/jobs?limit=1000").json()["jobs"]:
        few.post("/v1/jobs/%s/cancel" % job["id"])
    failed = few.post("/v1/jobs?wait=20", {"function": "crash", "map": ["SIGABRT"]}).json()
    check(failed["state"] == "failed", failed)
    for _ in range(3):
        check(few.post("/v1/jobs", {"function": "echo", "map": [], "open": True}).status == 202, "three")
    refused(few.post("/v1/jobs/%s/retry" % failed["id"]), "a retry")


# ---- without tokens

def addresses(service):
    check(service.client().get("/v1/access").json() == {
        "name": None, "scopes": ["read", "submit", "admin"], "functions": None,
        "limits": {"rate": 10, "jobs": 1, "streams": 1}}, service.client().get("/v1/access").text)
    body = {"function": "echo", "map": [], "open": True}
    job = service.client().post("/v1/jobs", body).json()
    check(job["client"] == "127.0.0.1", job)
    refused(service.client().post("/v1/jobs", body), "the same address")
    other = service.client(address="127.0.0.3")
    check(other.post("/v1/jobs", body).json()["client"] == "127.0.0.3", "another address")
    expect_rate(*flood(service.client(address="127.0.0.4"), 60, "/v1/pool"), 10, 200)
    check(service.client().get("/v1/pool").status == 200, "the first address")


def networks(binary):
    """All of an IPv6 network is one client."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        print("no IPv6 here")
        return
    with Service(binary, None, "--client-jobs", "1", host="::1") as service:
        job = service.client().post("/v1/jobs", {"function": "square", "map": [1]}).json()
        check(job["client"] == "::/64", job)
        service.stop()


APART = ["unshare", "--net", "sh", "-c", "ip link set lo up && for a in 5::1 5::2 5::3 6::1; do "
         "ip -6 addr add fd00:0:0:$a/64 dev lo nodad || exit 1; done && exec \"$@\"", "sh"]


def connections(binary):
    """Nor does it get more connections by its many addresses: in a network namespace, which has them."""
    if subprocess.run(APART + ["true"], check=False, stderr=subprocess.DEVNULL).returncode != 0:
        print("no network namespaces here")
        return
    done = subprocess.run(APART + [sys.executable, __file__, "--poold", binary, "--apart"], check=False)
    check(done.returncode == 0, "connections of a network")


def connections_apart(binary):
    with Service(binary, secret("op"), "--max-connections-per-address", "2", host="fd00:0:0:5::1") as service:
        held = [service.client(address="fd00:0:0:5::%d" % (2 + i % 2)) for i in range(2)]
        check([client.get("/healthz").status for client in held] == [200, 200], "two of a network")
        other = service.client(address="fd00:0:0:6::1").get("/docs").status
        check(other == 200, "another network", other)
        for address in "fd00:0:0:5::1", "fd00:0:0:5::3":
            answer = service.client(address=address).get("/docs")
            check(answer.status == 503 and answer.type() == "overloaded", address, answer.status)
        service.stop()


def reload(service, tokens):
    """Limits change with the file, also for what is being held."""
    service.reload(tokens.replace("rate=2", "rate=0").replace("streams=2", "streams=9"), r"event=access\.reload tokens=4")
    check(flood(service.client(secret("slow")), 30)[0] == {200: 30}, "no rate any more")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--poold", required=True)
    parser.add_argument("--apart", action="store_true", help="in a network namespace: only what needs that")
    options = parser.parse_args()
    if options.apart:
        connections_apart(options.poold)
        return 1 if failures else 0
    tokens = "".join("%s name=%s %s\n" % (secret(name), name, limit) for name, limit in
                     (("slow", "rate=2"), ("fast", "rate=0"), ("streams", "rate=0 streams=2"), ("jobs", "rate=0 jobs=3")))
    with Service(options.poold, tokens, "--client-rate", "2", "--test-functions") as service:
        rates(service)
        streams(service)
        unfinished(service)
        failed_again(service)
        reload(service, tokens)
        service.stop()
    with Service(options.poold, None, "--client-rate", "10", "--client-jobs", "1", "--client-streams", "1") as service:
        addresses(service)
        service.stop()
    networks(options.poold)
    connections(options.poold)
    print("%d failed" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
