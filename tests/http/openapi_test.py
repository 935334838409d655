"""Compares openapi.yaml with a running poold: every route and method it names exists, every other method is answered
with 405, and real responses fit the schemas. Needs Debian's python3-yaml and python3-jsonschema."""
import argparse
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import jsonschema
import yaml

METHODS = ("get", "put", "post", "patch", "delete")
KINDS = ("queues", "pipes", "locks", "dicts", "lists", "values", "arrays")
failures = []


def check(right, text):
    if not right:
        failures.append(text)
        print("FAILED: " + text)


FUNCTIONS = {
    "words.json": """{"command":["wc","-w"],"input":"text","summary":"counts words","example":"to be",
                      "defaults":{"timeout":30},"ceilings":{"timeout":60},"limits":{"output":"1M","files":64},
                      "concurrency":2}""",
    "wrong.json": """{"command":["sh","-c","echo so wrong >&2; exit 3"]}""",
    "big.json": """{"command":["head","-c","1000","/dev/zero"],"output":"text","limits":{"output":100}}""",
    "py.json": """{"runtime":"python","module":"py","limits":{"memory":"64M"}}""",
    "py.py": """import os, time, poold

def square(x):
    'a number times itself'
    return x * x

def fail(x):
    raise ValueError('never')

def fill(x):
    return len(bytearray(os.urandom(1 << 20)) * 512)

def step(name):
    print('a step', flush=True)
    poold.progress({'done': 1})
    while not os.path.exists(name):
        time.sleep(0.01)
""",
    "broken.json": """{"name":"broken","runtime":"python","module":"there_is_no_such_module"}""",
}


class Service:
    def __init__(self, binary):
        self.dir = tempfile.mkdtemp(prefix="poold-openapi-")
        self.functions = os.path.join(self.dir, "functions")
        os.mkdir(self.functions)
        for name, text in FUNCTIONS.items():
            self.write(name, text)
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen([binary, "--listen", "127.0.0.1:0", "--data", os.path.join(self.dir, "data"),
                                         "--processes", "2", "--test-functions", "--functions", self.functions], stderr=self.log, stdout=self.log,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        self.port = self.wait_port()

    def write(self, name, text):
        with open(os.path.join(self.functions, name + ".new"), "w") as file:
            file.write(text)
        os.rename(file.name, file.name[:-4])

    def wait_for(self, path, test):
        """Until the answer's document passes; what is wrong with the last one is told."""
        for _ in range(3000):
            status, _, text = self.ask("GET", path)
            if status == 200 and test(json.loads(text)):
                return
            time.sleep(0.01)
        check(False, "GET %s never became right: %d %s" % (path, status, text[:500]))

    def wait_port(self):
        for _ in range(3000):
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", open(self.log.name).read())
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise SystemExit("poold did not start: " + open(self.log.name).read()[-2000:])

    def ask(self, method, path, body=None, **headers):
        data = body.encode() if isinstance(body, str) else body
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.port, path), data, method=method)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)


class Contract:
    def __init__(self, path):
        with open(path) as file:
            self.document = yaml.safe_load(file)

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def paths(self):
        return self.document["paths"]

    def methods(self, path):
        return [m for m in METHODS if m in self.resolve(self.paths()[path])]

    def schema(self, method, path, status, media):
        responses = self.resolve(self.paths()[path])[method]["responses"]
        response = responses.get(str(status)) or responses.get("%dXX" % (status // 100)) or responses.get("default")
        if response is None:
            return None
        content = self.resolve(response).get("content", {})
        return content.get(media, {}).get("schema")

    def validate(self, value, schema):
        whole = dict(schema)
        whole["components"] = self.document.get("components", {})
        jsonschema.Draft202012Validator(whole).validate(value)


def fill(path, names):
    """Puts real names into a path's {parameters}."""
    return re.sub(r"\{(\w+)\}", lambda found: str(names.get(found.group(1), "x")), path)


def check_routes(service, contract, names):
    for path in contract.paths():
        known = contract.methods(path)
        check(known, "%s has no methods" % path)
        for method in METHODS:
            if method in known:
                continue
            status, headers, _ = service.ask(method.upper(), fill(path, names))
            check(status == 405, "%s %s is not in openapi.yaml, but answered %d" % (method.upper(), path, status))
            allow = (headers.get("Allow") or "").lower()
            check(all(m in allow for m in known), "%s: Allow is %r, expected %s" % (path, allow, known))
        for method in known:
            # Nonsense in the query reaches no handler that changes something, and shows that the route is there.
            status, _, text = service.ask(method.upper(), fill(path, names) + "?no_such_parameter=1")
            check(status not in (404, 405, 501), "%s %s answered %d %s" % (method.upper(), path, status, text[:200]))


def make_jobs(service):
    service.wait_for("/v1/functions/py.square", lambda _: True)
    service.wait_for("/v1/functions", lambda d: any(f.get("problem") for f in d["functions"]))

    def submit(body, wait="30"):
        status, _, text = service.ask("POST", "/v1/jobs?wait=" + wait, json.dumps(body),
                                      Content_Type="application/json")
        check(status in (200, 202), "submission answered %d %s" % (status, text[:300]))
        return json.loads(text)["id"]
    return {"map": submit({"function": "square", "map": [1, 2, 3]}), "apply": submit({"function": "greet", "apply": "A"}),
            "failed": submit({"function": "crash", "map": [None, "SIGABRT"], "max_attempts": 2, "backoff": 0}),
            "printed": submit({"function": "print", "map": ["x"]}),
            "exec": submit({"function": "words", "map": ["a b", []], "timeout": 60}),
            "wrong": submit({"function": "wrong", "map": [1]}),
            "big": submit({"function": "big", "map": [1]}),
            "python": submit({"function": "py.square", "map": [2, "x"]}),
            "raised": submit({"function": "py.fail", "map": [1]}),
            "memory": submit({"function": "py.fill", "map": [1]}),
            "broken": submit({"function": "broken", "map": [1]}, "0"),
            "alone": submit({"function": "py.square", "map": [3, "x"], "isolation": "process"}),
            "once": submit({"function": "words", "apply": "a b", "isolation": "process"}),
            "step": submit({"function": "py.step", "map": [os.path.join(service.functions, "go")]}, "0"),
            "open": submit({"function": "echo", "map": [], "open": True}, "0")}


def no_name_twice(pairs):
    names = [name for name, _ in pairs]
    check(len(names) == len(set(names)), "a name comes twice: %s" % pairs)
    return dict(pairs)


def requests(jobs):
    """(method, path in the contract, real path, body, headers)"""
    as_json = {"Accept": "application/json"}
    post = {"Content_Type": "application/json"}
    body = json.dumps({"function": "square", "map": [4]})
    yield "get", "/v1/jobs", "/v1/jobs", None, {}
    for name in ("map", "apply", "failed", "open"):
        yield "get", "/v1/jobs/{id}", "/v1/jobs/" + jobs[name], None, {}
    for name in ("map", "failed"):
        yield "get", "/v1/jobs/{id}/results", "/v1/jobs/%s/results" % jobs[name], None, as_json
        yield "get", "/v1/jobs/{id}/items/{index}", "/v1/jobs/%s/items/1" % jobs[name], None, {}
    for name in ("exec", "wrong", "big", "python", "raised", "memory", "broken", "alone", "once", "step"):
        yield "get", "/v1/jobs/{id}", "/v1/jobs/" + jobs[name], None, {}
        yield "get", "/v1/jobs/{id}/results", "/v1/jobs/%s/results" % jobs[name], None, as_json
        yield "get", "/v1/jobs/{id}/items/{index}", "/v1/jobs/%s/items/0" % jobs[name], None, {}
        yield "get", "/v1/jobs/{id}/log", "/v1/jobs/%s/log" % jobs[name], None, as_json
    yield "get", "/v1/jobs/{id}/items/{index}", "/v1/jobs/%s/items/7" % jobs["map"], None, {}
    yield "get", "/v1/functions/{name}", "/v1/functions/words", None, {}
    yield "get", "/v1/functions/{name}", "/v1/functions/py.square", None, {}
    yield "post", "/v1/jobs", "/v1/jobs", '{"function":"words","map":[],"timeout":61}', post
    yield "get", "/v1/jobs/{id}/log", "/v1/jobs/%s/log" % jobs["printed"], None, as_json
    for path in ("/v1/functions", "/v1/workers", "/v1/pool", "/v1/access", "/healthz", "/readyz"):
        yield "get", path, path, None, {}
    yield "get", "/v1/functions/{name}", "/v1/functions/square", None, {}
    yield "get", "/v1/functions/{name}", "/v1/functions/nothing", None, {}
    yield "patch", "/v1/pool", "/v1/pool", '{"processes":2}', post
    yield "patch", "/v1/pool", "/v1/pool", '{"processes":-2}', post
    yield "post", "/v1/jobs", "/v1/jobs", body, post
    yield "post", "/v1/jobs", "/v1/jobs?wait=20", body, post
    yield "post", "/v1/jobs", "/v1/jobs?wait=20", '{"function":"square","apply":3}', post
    yield "post", "/v1/jobs", "/v1/jobs", '{"function":', post
    yield "post", "/v1/jobs", "/v1/jobs", '{"function":"nothing","map":[]}', post
    yield "post", "/v1/jobs/{id}/items", "/v1/jobs/%s/items" % jobs["open"], "[1,2]", post
    yield "post", "/v1/jobs/{id}/close", "/v1/jobs/%s/close" % jobs["open"], "", {}
    yield "post", "/v1/jobs/{id}/close", "/v1/jobs/%s/close" % jobs["map"], "", {}
    yield "post", "/v1/jobs/{id}/cancel", "/v1/jobs/%s/cancel" % jobs["map"], "", {}
    yield "post", "/v1/jobs/{id}/retry", "/v1/jobs/%s/retry" % jobs["failed"], "", {}
    yield "get", "/v1/jobs/{id}", "/v1/jobs/" + jobs["failed"], None, {}
    yield "delete", "/v1/jobs/{id}", "/v1/jobs/" + jobs["map"], None, {}
    yield "get", "/v1/jobs/{id}", "/v1/jobs/" + jobs["map"], None, {}


def object_requests():
    """The same for shared objects: of each kind what succeeds, and what each way of refusing looks like."""
    post, lines, raw = ({"Content_Type": "application/" + t} for t in ("json", "x-ndjson", "octet-stream"))

    def ask(method, path, body=None, headers=None):
        names = {"square": "name", ".square": "name", "none": "name", "a": "end", "b": "end", "k%2F1": "key", "nix": "key", "-1": "position",
                 "0": "position", "9": "position", "values%2Fsquare": "name"}
        segments = path.split("?")[0].split("/")[1:]
        known = ["{%s}" % names[s] if i >= 2 and s in names else s for i, s in enumerate(segments)]
        return method, "/" + "/".join(known), path, body, post if headers is None and body else headers or {}
    yield ask("put", "/v1/queues/square", '{"maxsize":6}')
    yield ask("put", "/v1/queues/square", '{"maxsize":6}')
    yield ask("put", "/v1/queues/square", '{"maxsize":5}')
    yield ask("put", "/v1/queues/square", '{"size":5}')
    yield ask("put", "/v1/queues/.square")
    yield ask("post", "/v1/queues/square/put", '{"value":{"a":1}}')
    yield ask("post", "/v1/queues/square/put", '{"values":[1,2]}')
    yield ask("post", "/v1/queues/square/put", "3\n4\n", lines)
    yield ask("post", "/v1/queues/square/put", "5\n6\n7\n", lines)
    yield ask("post", "/v1/queues/square/put", "x", lines)
    yield ask("post", "/v1/queues/square/put", '{"value":')
    yield ask("get", "/v1/queues/square")
    yield ask("get", "/v1/queues?limit=1&prefix=s")
    yield ask("post", "/v1/queues/square/get", "", {"Idempotency_Key": "a"})
    yield ask("post", "/v1/queues/square/get?n=3&lease=30")
    yield ask("post", "/v1/queues/square/get?lease=0")
    yield ask("post", "/v1/queues/square/ack", '{"leases":[1]}')
    yield ask("post", "/v1/queues/square/nack", '{"leases":[2]}')
    yield ask("post", "/v1/queues/square/nack", '{"leases":[2]}')
    yield ask("get", "/v1/queues/square/size")
    yield ask("get", "/v1/queues/square/join")
    yield ask("post", "/v1/queues/square/task_done")
    yield ask("post", "/v1/queues/square/task_done", '{"count":99}')
    yield ask("post", "/v1/queues/square/clear")
    yield ask("post", "/v1/queues/square/get?wait=0.01")
    yield ask("post", "/v1/queues/none/get")
    yield ask("put", "/v1/pipes/square", '{"duplex":false}')
    yield ask("post", "/v1/pipes/square/b/send", '{"value":1}')
    yield ask("post", "/v1/pipes/square/a/send", '{"value":1}')
    yield ask("get", "/v1/pipes/square/a/poll?wait=1")
    yield ask("post", "/v1/pipes/square/a/recv")
    yield ask("post", "/v1/pipes/square/a/recv?wait=0.01")
    yield ask("get", "/v1/pipes/square")
    yield ask("get", "/v1/pipes")
    yield ask("post", "/v1/pipes/square/b/close")
    yield ask("post", "/v1/pipes/square/a/recv")
    yield ask("put", "/v1/locks/square")
    yield ask("post", "/v1/locks/square/acquire", '{"ttl":30}')
    yield ask("post", "/v1/locks/square/acquire?wait=0.01", '{"ttl":30}')
    yield ask("post", "/v1/locks/square/acquire", '{}')
    yield ask("get", "/v1/locks/square")
    yield ask("get", "/v1/locks")
    yield ask("post", "/v1/locks/square/renew", '{"token":4,"ttl":30}')
    yield ask("post", "/v1/locks/square/release", '{"token":4}')
    yield ask("post", "/v1/locks/square/release", '{"token":4}')
    yield ask("put", "/v1/dicts/square")
    yield ask("put", "/v1/dicts/square/k%2F1", '{"a":[1e400]}')
    yield ask("put", "/v1/dicts/square/k%2F1", "1", dict(post, If_None_Match="*"))
    yield ask("put", "/v1/dicts/square/k%2F1", "1", dict(post, If_Match="1"))
    yield ask("get", "/v1/dicts/square/k%2F1")
    yield ask("get", "/v1/dicts/square/k%2F1", None, {"If_None_Match": '"2"'})
    yield ask("get", "/v1/dicts/square/nix")
    for body in ('{"update":{"entries":{"b":1,"c":2}}}', '{"items":{"limit":1}}', '{"keys":{}}', '{"values":{}}',
                 '{"add":{"key":"b"}}', '{"add":{"key":"k/1"}}', '{"setdefault":{"key":"d","value":0}}',
                 '{"pop":{"key":"d"}}', '{"popitem":{}}', '{"contains":{"key":"b"}}', '{"len":{}}', '{"open":{}}'):
        yield ask("post", "/v1/dicts/square", body)
    for query in ("", "?fields=keys&limit=1", "?fields=values", "?fields=none", "?fields=all", "?after=nix"):
        yield ask("get", "/v1/dicts/square" + query)
    yield ask("get", "/v1/dicts")
    yield ask("delete", "/v1/dicts/square/k%2F1")
    yield ask("put", "/v1/lists/square")
    for body in ('{"extend":{"values":[3,1,2]}}', '{"sort":{}}', '{"index":{"value":2}}', '{"count":{"value":2}}',
                 '{"pop":{"index":9}}', '{"pop":{}}', '{"slice":{"start":-2}}', '{"append":{}}', '{"contains":{"value":1}}'):
        yield ask("post", "/v1/lists/square", body)
    for query in ("", "?start=-1&limit=1", "?limit=1"):
        yield ask("get", "/v1/lists/square" + query)
    yield ask("get", "/v1/lists/square/-1")
    yield ask("put", "/v1/lists/square/0", '"x"')
    yield ask("put", "/v1/lists/square/9", '"x"')
    yield ask("delete", "/v1/lists/square/0")
    yield ask("get", "/v1/lists")
    yield ask("put", "/v1/values/square", '{"typecode":"b","value":5}')
    yield ask("put", "/v1/values/square")
    yield ask("get", "/v1/values/square")
    yield ask("get", "/v1/values")
    yield ask("get", "/v1/values/square/value")
    yield ask("put", "/v1/values/square/value", "6", dict(post, If_Match='"1"'))
    yield ask("put", "/v1/values/square/value", "6", dict(post, If_Match='"1"'))
    yield ask("put", "/v1/values/square/value", "300")
    for body in ('{"add":{"by":1}}', '{"get":{}}', '{"compare_set":{"expected":7,"value":8}}',
                 '{"compare_set":{"expected":7,"value":8}}', '{"set":{"value":1}}'):
        yield ask("post", "/v1/values/square", body)
    yield ask("post", "/v1/locks/values%2Fsquare/acquire", '{"ttl":30}')
    yield ask("get", "/v1/locks/values%2Fsquare")
    yield ask("put", "/v1/arrays/square", '{"typecode":"d","values":[1,2,3]}')
    yield ask("get", "/v1/arrays/square")
    yield ask("get", "/v1/arrays")
    yield ask("get", "/v1/arrays/square/data?start=1")
    yield ask("get", "/v1/arrays/square/data", None, {"Accept": "application/octet-stream"})
    yield ask("get", "/v1/arrays/square/data", None, {"Accept": "image/png"})
    yield ask("put", "/v1/arrays/square/data", "[4,5]")
    yield ask("put", "/v1/arrays/square/data?start=2", "[4,5]")
    yield ask("put", "/v1/arrays/square/data", "12345678", raw)
    yield ask("put", "/v1/arrays/square/data", "1234567", raw)
    yield ask("get", "/v1/arrays/square/-1")
    yield ask("put", "/v1/arrays/square/0", "2.5")
    for body in ('{"add":{"index":0,"by":1}}', '{"slice":{}}', '{"len":{}}', '{"get":{"index":7}}'):
        yield ask("post", "/v1/arrays/square", body)
    for kind in KINDS:
        yield ask("delete", "/v1/%s/square" % kind)
        yield ask("delete", "/v1/%s/square" % kind)


def check_responses(service, contract, jobs):
    for method, path, real, body, headers in itertools.chain(requests(jobs), object_requests()):
        title = "%s %s" % (method.upper(), real)
        if path not in contract.paths() or method not in contract.methods(path):
            check(False, "%s: %s is not in openapi.yaml" % (title, path))
            continue
        status, got, text = service.ask(method.upper(), real, body, **headers)
        media = (got.get("Content-Type") or "").split(";")[0]
        if not text:
            check(status in (200, 202, 204, 304), "%s: %d without a body" % (title, status))
            answers = contract.resolve(contract.paths()[path])[method]["responses"]
            check(str(status) in answers, "%s: openapi.yaml has no %d" % (title, status))
            continue
        schema = contract.schema(method, path, status, media)
        check(schema is not None, "%s: openapi.yaml has no %d with %s" % (title, status, media))
        if schema is None or not media.endswith("json"):
            continue
        try:
            contract.validate(json.loads(text, object_pairs_hook=no_name_twice), schema)
        except jsonschema.ValidationError as error:
            check(False, "%s: %d does not fit the schema: %s at /%s in %s" % (
                title, status, error.message[:300], "/".join(str(p) for p in error.absolute_path), text[:500]))


def check_reload(service, contract):
    service.write("go", "")
    service.write("bad.json", '{"command":["wc"],"tiemout":1}')
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("/v1/functions", lambda d: "tiemout" in (d["problem"] or ""))
    contract.validate(json.loads(service.ask("GET", "/v1/functions")[2]),
                      contract.schema("get", "/v1/functions", 200, "application/json"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--poold", required=True)
    parser.add_argument("--openapi", required=True)
    options = parser.parse_args()
    contract = Contract(options.openapi)
    check(str(contract.document.get("openapi", "")).startswith("3.1"), "openapi.yaml is not 3.1")
    service = Service(options.poold)
    try:
        jobs = make_jobs(service)
        service.wait_for("/v1/jobs/%s/items/0" % jobs["step"], lambda d: d.get("progress") == {"done": 1})
        check_routes(service, contract, {"id": jobs["apply"], "index": 0, "name": "square", "end": "a", "position": 0})
        check_responses(service, contract, jobs)
        check_reload(service, contract)
        status, _, text = service.ask("GET", "/openapi.yaml")
        check(status == 200 and yaml.safe_load(text) == contract.document, "GET /openapi.yaml is another document")
    finally:
        service.stop()
    print("%d failed" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
