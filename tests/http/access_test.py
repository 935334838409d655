"""Tokens over HTTP, against the real binaries: every scope with every route (the table of routes, openapi.yaml and what is
answered must agree), functions that a token is cut to, and SIGHUP. Needs Debian's python3-yaml."""
import argparse
import os
import re
import signal
import subprocess
import sys
import time

import yaml

from access_kit import Service, check, failures, secret

SCOPES = {"read": {"read"}, "submit": {"submit"}, "admin": {"read", "submit", "admin"}, "both": {"read", "submit"}}
KINDS = ("queues", "pipes", "locks", "dicts", "lists", "values", "arrays")
# ---- every scope with every route

def table(source):
    """{(method, path): what it needs} as the server's source has it."""
    names = {"SCOPE_READ": "read", "SCOPE_SUBMIT": "submit", "SCOPE_ADMIN": "admin", "ROUTE_ANY_TOKEN": "any",
             "ROUTE_PUBLIC": "public", "ROUTE_FREE": "public"}
    routes = {}
    for file in ("routes.c", "objects_routes.c"):
        with open(os.path.join(source, "server", "http", file), encoding="utf-8") as text:
            text = text.read()
        found = re.findall(r'\.method = METHOD_(\w+),\s*\.scope = (\w+),\s*\.pattern = "(/[^"]*)"', text)
        check(len(found) == len(re.findall(r'\.pattern = "/', text)), file, "has routes that this test does not see")
        for method, scope, pattern in found:
            for kind in KINDS if "{kind}" in pattern else ("",):
                routes[method.lower(), pattern.replace("{kind}", kind)] = names[scope]
    return routes


def contract(source):
    """The same as openapi.yaml has it."""
    with open(os.path.join(source, "openapi.yaml"), encoding="utf-8") as file:
        document = yaml.safe_load(file)
    routes = {}
    for path, operations in document["paths"].items():
        if "$ref" in operations:
            operations = document["components"]["pathItems"][operations["$ref"].rsplit("/", 1)[1]]
        for method in ("get", "put", "post", "patch", "delete"):
            if method in operations:
                needed = operations[method].get("security", document["security"])
                roles = needed[0]["bearer"] if needed else None
                routes[method, path] = "public" if roles is None else roles[0] if roles else "any"
    return routes


def compare(routes, documented):
    for route in sorted(routes.keys() | documented.keys()):
        check(routes.get(route) == documented.get(route), route, "needs", routes.get(route), "by the table and",
              documented.get(route), "by openapi.yaml")


def expect(answer, method, path, needed, token, scopes):
    title = "%s %s by %s:" % (method, path, token)
    if needed == "public" or (scopes and (needed == "any" or needed in scopes)):
        check(answer.status == 400 and answer.type() == "unknown-parameter", title, answer.status, answer.text)
    elif not scopes:
        error = ', error="invalid_token"' if token == "wrong" else ""
        check(answer.status == 401 and answer.type() == "unauthorized", title, answer.status, answer.text)
        check(answer.headers["WWW-Authenticate"] == 'Bearer realm="poold"' + error, title, answer.headers)
    else:
        check(answer.status == 403 and answer.type() == "forbidden", title, answer.status, answer.text)
        check('scope="%s"' % needed in (answer.headers["WWW-Authenticate"] or ""), title, answer.headers)
        detail = answer.json()["detail"].replace("{kind}", (path.split("/") + [""])[2])
        check(detail.endswith("; %s %s needs %s" % (method, path, needed)), title, answer.text)


def every_scope_with_every_route(service, routes):
    names = {"id": "01jd7k3xq000000a", "index": "0", "name": "square", "end": "a", "key": "k", "position": "0"}
    clients = {name: (service.client(secret(name)), scopes) for name, scopes in SCOPES.items()}
    clients["wrong"] = service.client(secret("nobody")), set()
    clients["no token"] = service.client(), set()
    for (method, path), needed in sorted(routes.items()):
        for token, (client, scopes) in clients.items():
            # A parameter that is not there: who may is told so, and nothing is done.
            if "{id}" in path:
                names["id"] = service.job
            real = re.sub(r"\{(\w+)\}", lambda found: names[found.group(1)], path) + "?no_such_parameter=1"
            for verb in (method.upper(), "HEAD") if method == "get" else (method.upper(),):
                answer = client.ask(verb, real)
                if verb == "HEAD":
                    wanted = 400 if needed == "public" or needed in scopes or (scopes and needed == "any") else (
                        403 if scopes else 401)
                    check(answer.status == wanted, "HEAD", path, "by", token, answer.status)
                else:
                    expect(answer, method.upper(), path, needed, token, scopes)


def no_route(service):
    """Who has no token is not told what there is; who has one, is."""
    for method, path, status in (("GET", "/v1/nothing", 404), ("PUT", "/v1/jobs", 405), ("OPTIONS", "/v1/jobs", 204)):
        check(service.client().ask(method, path).status == 401, method, path)
        for name in SCOPES:
            check(service.client(secret(name)).ask(method, path).status == status, method, path, name)


def public(service):
    for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.yaml", "/dashboard/app.js"):
        check(service.client().get(path).status == 200, path, "without a token")
        check(service.client(secret("nobody")).get(path).status == 200, path, "with a wrong one")


def submit_alone(service):
    """The answer belongs to the request."""
    submit = service.client(secret("submit"))
    answer = submit.post("/v1/jobs?wait=20", {"function": "square", "apply": 7})
    check(answer.status == 200 and answer.json()["value"] == 49, answer.text)
    answer = submit.post("/v1/jobs", {"function": "square", "map": [1, 2]}, Accept="application/x-ndjson")
    check(answer.status == 200 and '{"index":1,"value":4}' in answer.text, answer.text)
    check(submit.get(answer.headers["Location"]).status == 403, "a job may be read without read")


def blanks(service):
    """Blanks behind a value are no part of it (RFC 9110, 5.5); a token is not blank."""
    for blank, status in (("", 200), (" ", 200), (" \t ", 200)):
        answer = service.client().ask("GET", "/v1/jobs", Authorization="bearer  " + secret("both") + blank)
        check(answer.status == status, repr(blank), answer.text)
    for nothing in ("Bearer", "Bearer ", "Bearer \t"):
        answer = service.client().ask("GET", "/v1/jobs", Authorization=nothing)
        check(answer.status == 401, repr(nothing), answer.text)


def what_one_may(service):
    def ask(name):
        return service.client(secret(name)).get("/v1/access").json()
    nothing = {"rate": None, "jobs": None, "streams": None}
    check(ask("both") == {"name": "both", "scopes": ["read", "submit"], "functions": None, "limits": nothing}, ask("both"))
    check(ask("admin")["scopes"] == ["read", "submit", "admin"], ask("admin"))
    check(ask("cut")["functions"] == ["sq*", "echo"], ask("cut"))


# ---- functions

def functions(service):
    everything, cut = service.client(secret("admin")), service.client(secret("cut"))
    names = [f["name"] for f in cut.get("/v1/functions").json()["functions"]]
    check(names == ["echo", "square"], names)
    check(cut.get("/v1/functions/square").status == 200, "square is allowed")
    refused = cut.get("/v1/functions/cube")
    check(refused.status == 403 and refused.type() == "function-forbidden", refused.text)
    check("sq*,echo" in refused.json()["detail"] and "cube" not in refused.json()["detail"], refused.text)
    for body in ({"function": "cube", "map": [1]}, {"function": "nothing", "map": [1]}, {"function": "cube", "apply": 1}):
        refused = cut.post("/v1/jobs", body)
        check(refused.status == 403 and refused.type() == "function-forbidden", refused.text)
    refused = cut.post("/v1/jobs?function=cube", "1\n2\n", Content_Type="application/x-ndjson")
    check(refused.status == 403 and refused.type() == "function-forbidden", refused.text)
    check(cut.post("/v1/jobs?function=square", "1\n2\n", Content_Type="application/x-ndjson").status == 202, "NDJSON")
    seen = everything.get("/metrics").text, cut.get("/metrics").text
    check('function="cube"' in seen[0] and 'function="cube"' not in seen[1] and 'function="square"' in seen[1], "/metrics")


def jobs(service):
    everything, cut = service.client(secret("admin")), service.client(secret("cut"))
    mine, other = (everything.post("/v1/jobs?wait=20", {"function": name, "apply": 2}).json()["id"]
                   for name in ("square", "cube"))
    waiting = everything.post("/v1/jobs", {"function": "cube", "map": [], "open": True}).json()["id"]
    for job, status in ((mine, 200), (other, 403), (waiting, 403)):
        for path in ("", "/results", "/log", "/items/0"):
            if job != waiting or path != "/items/0":
                answer = cut.get("/v1/jobs/%s%s?%s" % (job, path, "format=json" if path in ("/results", "/log") else ""))
                check(answer.status == status, job, path, answer.status, answer.text[:300])
    for path, body in (("/close", None), ("/cancel", None), ("/retry", None), ("/items", [1])):
        answer = cut.post("/v1/jobs/%s%s" % (waiting, path), body)
        check(answer.status == 403 and answer.type() == "function-forbidden", path, answer.text)
    answer = cut.post("/v1/jobs/%s/items" % waiting, "1\n", Content_Type="application/x-ndjson")
    check(answer.status == 403, "items", answer.text)
    check(cut.ask("DELETE", "/v1/jobs/" + other).status == 403, "DELETE")
    check(cut.get("/v1/jobs/zzzz7k3xq000000a").status == 404, "a job that never was")
    check(everything.post("/v1/jobs/%s/cancel" % waiting).json()["counts"]["total"] == 0, "something was added")
    check(everything.get("/v1/jobs/" + other).status == 200, "it is still there")
    check(cut.ask("DELETE", "/v1/jobs/" + mine).status == 204, "its own may be deleted")
    check(cut.get("/v1/jobs/" + mine).status == 410, "a job that was deleted")
    check(cut.get("/v1/jobs?function=cube").status == 403, "?function= of another")


def pages(service):
    """Pages of what one may see hold all of it, once, in order."""
    everything, cut = service.client(secret("admin")), service.client(secret("cut"))
    wanted = []
    for i in range(60):
        name = "square" if i % 7 == 0 else "cube"
        job = everything.post("/v1/jobs", {"function": name, "map": [i], "name": "page"}).json()
        if name == "square":
            wanted.insert(0, job["id"])
    for limit in (1, 3, 9, 100):
        seen, after, sizes = [], None, []
        while after or not sizes:
            page = cut.get("/v1/jobs?limit=%d%s" % (limit, "&after=" + after if after else "")).json()
            check(all(job["function"] in ("square", "echo") for job in page["jobs"]), "a page shows others")
            seen += [job["id"] for job in page["jobs"] if job["name"] == "page"]
            sizes.append(len(page["jobs"]))
            after = page["next"]
        check(seen == wanted, "pages of", limit, "have", len(seen), "of", len(wanted))
        check(all(size == limit for size in sizes[:-2]), "pages are not full:", sizes)
    done = cut.get("/v1/jobs?state=succeeded&limit=1000").json()
    check(done["next"] is None and all(job["function"] == "square" for job in done["jobs"]), done["next"])


def workers(service):
    """Who may not use a function does not see who runs it."""
    everything, cut = service.client(secret("admin")), service.client(secret("cut"))
    job = everything.post("/v1/jobs", {"function": "sleep", "map": [60]}).json()["id"]
    for _ in range(2000):
        if any(w["function"] == "sleep" for w in everything.get("/v1/workers").json()["workers"]):
            break
        time.sleep(0.005)
    seen = cut.get("/v1/workers").json()["workers"]
    check(any(w["job"] == job for w in everything.get("/v1/workers").json()["workers"]), "it runs")
    check(all(w["job"] is None and w["item"] is None and w["function"] is None for w in seen), seen)
    everything.post("/v1/jobs/%s/cancel" % job)


# ---- SIGHUP

def reload(service, tokens):
    old, gone = service.client(secret("admin")), service.client(secret("cut"))
    job = old.post("/v1/jobs", {"function": "echo", "map": [1], "open": True}).json()["id"]
    stream = gone.begin("GET", "/v1/jobs/%s/results" % job)
    check(stream.readline() == b'{"index":0,"value":1}\n', "the stream has begun")
    without = "".join(line + "\n" for line in tokens.splitlines() if "name=cut" not in line)

    service.reload(without + secret("new") + " name=cut\n", r"event=access\.reload tokens=5")
    refused = service.client(secret("cut")).get("/v1/jobs")
    check(refused.status == 401, "a token that was taken out", refused.status)
    check(service.client(secret("new")).get("/v1/access").json()["name"] == "cut", "a token that was added")
    check(old.get("/v1/jobs").status == 200, "one that stayed, on its connection")
    old.post("/v1/jobs/%s/items" % job, [2])
    check(stream.readline() == b'{"index":1,"value":2}\n', "what was begun goes on")

    line = without.count("\n") + 1
    found = service.reload(without + secret("new") + " scopes=reed\n", r"event=access\.reload .*error=.*").group(0)
    check("tokens:%d: scopes: expected" % line in found and "secret" not in found and "reed" not in found, found)
    os.unlink(service.tokens)
    os.mkdir(service.tokens) # no file at all
    begin = service.log_size()
    service.process.send_signal(signal.SIGHUP)
    service.logged(r"event=access\.reload .*error=", begin)
    os.rmdir(service.tokens)
    check(service.client(secret("new")).get("/v1/jobs").status == 200, "the old tokens stay")
    check(service.client(secret("cut")).get("/v1/jobs").status == 401, "the old tokens stay, and no others")

    old.post("/v1/jobs/%s/close" % job)
    check(b'{"end":true' in stream.read(), "the stream ends as it should")
    service.write(tokens)
    os.chmod(service.tokens, 0o644)
    begin = service.log_size()
    service.process.send_signal(signal.SIGHUP)
    service.logged(r"level=warning .*event=access\.exposed", begin)


def killed(service):
    """A server that dies is back with the tokens of the file."""
    status = service.client(secret("both")).get("/v1/jobs").status
    service.kill_server()
    check(status == 200 and service.client(secret("both")).get("/v1/jobs").status == 200, "the same token")


def refused_at_start(service):
    for text, message in (("short\n", ":1: expected a token of 32 to 511 bytes; it has 5"),
                          (secret("a") + " scopes=read\n" + secret("b") + " name=a/b\n", ":2: name: expected")):
        service.write(text)
        done = subprocess.run([service.binary, "--listen", "127.0.0.1:0", "--data", service.folder + "/data",
                               "--token-file", service.tokens], capture_output=True, text=True, timeout=30)
        check(done.returncode == 78 and service.tokens + message in done.stderr, done.returncode, done.stderr)
        check("secret" not in done.stderr, "a token is told")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--poold", required=True)
    parser.add_argument("--source", required=True, help="where server/ and openapi.yaml are")
    options = parser.parse_args()
    routes = table(options.source)
    compare(routes, contract(options.source))
    tokens = "# of this test\n" + "".join(
        "%s name=%s scopes=%s\n" % (secret(name), name, "read,submit" if name == "both" else name) for name in SCOPES)
    tokens += secret("cut") + " name=cut functions=sq*,echo\n"
    with Service(options.poold, tokens) as service:
        service.job = service.client(secret("admin")).post("/v1/jobs", {"function": "square", "map": [1]}).json()["id"]
        every_scope_with_every_route(service, routes)
        no_route(service)
        public(service)
        submit_alone(service)
        blanks(service)
        what_one_may(service)
        functions(service)
        jobs(service)
        pages(service)
        workers(service)
        reload(service, tokens)
        killed(service)
        with open(service.log_path, encoding="utf-8") as log:
            check("-secret-" not in log.read(), "a token is in the log")
        service.stop()
        refused_at_start(service)
    print("%d failed" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
