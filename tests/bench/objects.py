"""The rows of shared objects: tasks of poold against multiprocessing's Manager and Array (objects_peer.py), in turn."""
import json
import os
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ("queue", "dict", "lock", "array", "array-c")
FILES = ("objects_functions.py", "objects_tasks.py")
MANIFESTS = {
    "shared": {"runtime": "python", "module": "objects_functions"},
    "inc": {"plugin": "objects_plugin.so"},
}


def jobs(poold, works):
    """Runs these (function, item) at once, each as a job; their values."""
    ids = []
    for function, item in works:
        answer = post(poold, "/v1/jobs", {"function": function, "apply": item})
        ids.append(answer["id"])
    return [result(poold, job) for job in ids]


def post(poold, path, body):
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (poold.port, path), json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def result(poold, job):
    poold.get("/v1/jobs/%s?wait=120" % job)
    line = json.loads(poold.get("/v1/jobs/%s/results" % job).split("\n")[0])
    if isinstance(line, list):
        line = line[0]
    if "value" not in line:
        raise RuntimeError("%s: %s" % (job, line))
    return line["value"]


def span(told, what):
    """How long it took from the first beginning to the last end."""
    if not all(one["result"] in (None, True) for one in told):
        raise RuntimeError("%s: a wrong result: %s" % (what, told))
    return max(one["ended"] for one in told) - min(one["began"] for one in told)


def sizes(quick):
    return {"queue": 500, "dict": 500, "lock": 100, "array": 10000} if quick else \
           {"queue": 20000, "dict": 20000, "lock": 5000, "array": 1000000}


def measure(poold, work, n, name):
    """Seconds."""
    works = {
        "queue": [("shared.put", {"name": name, "n": n}), ("shared.get", {"name": name, "n": n})],
        "dict": [("shared.entries", {"name": name, "n": n})],
        "lock": [("shared.lock", {"name": name, "n": n})] * 4,
        "array": [("shared.array", {"name": name, "n": n})],
    }
    return span(jobs(poold, works[work]), work)


def warm(poold):
    """Each worker has what it needs, as the peer's processes have."""
    told = [("shared.lock", {"name": "warm", "n": 200})] * 4
    jobs(poold, told)


def array_in_c(poold, n, name):
    jobs(poold, [("shared.array", {"name": name, "n": n})])
    ours, = jobs(poold, [("inc.shared", "arrays/" + name)])
    theirs, = jobs(poold, [("inc.plain", n)])
    return ours, theirs


def rounds(bench, poold, peer, quick, number):
    """One round of each work that is wanted."""
    size = sizes(quick)
    for work in ("queue", "dict", "lock", "array"):
        if not bench.wanted(work):
            continue
        os.sync()
        time.sleep(0.3)
        n = size[work]
        operations = {"queue": 2, "dict": 2, "lock": 8, "array": 1}[work] * n
        bench.add(work, "poold", operations / measure(poold, work, n, "%s%d" % (work, number)))
        bench.add(work, "peer", operations / span(peer.ask(work, n, 4), "the peer's " + work))
    if bench.wanted("array-c"):
        ours, theirs = array_in_c(poold, size["array"], "c%d" % number)
        bench.add("array-c", "poold", size["array"] / ours * 1e9)
        bench.add("array-c", "peer", size["array"] / theirs * 1e9)


def judge(bench):
    for name, title, floor in (
            ("queue", "queue, durable / Manager().Queue()", 1.0), ("dict", "dict / Manager().dict()", 1.0),
            ("lock", "lock, 4 tasks / Manager().Lock()", 1.0), ("array", "array x 2 in Python / Array", 0.9),
            ("array-c", "array x 2 in C / plain C", 0.9)):
        bench.row(name, title, (name, "poold"), (name, "peer"), floor, floor, "op/s" if floor == 1.0 else "numbers/s", True)


def peer_argv():
    return [sys.executable, os.path.join(HERE, "objects_peer.py")]
