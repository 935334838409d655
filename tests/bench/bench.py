"""Runs poold and its peer in turn and prints the table of figures (tests/bench/run.sh calls this)."""
import argparse
import glob
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import objects

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1024.0


class Wrong(Exception):
    """A result was wrong, or a program did not run."""


# What the functions of the rows "exec", "python" and "node" are: squares.py, squares.js, and /bin/true with the item as
# its argument, as xargs gives it.
MANIFESTS = {
    "true": {"command": ["/bin/true", "{}"], "output": "text"},
    "py": {"runtime": "python", "module": "squares"},
    "js": {"runtime": "node", "module": "squares"},
    **objects.MANIFESTS,
}
SOURCES = {
    "squares.py": "def square(x):\n    return x * x\n",
    "squares.js": "exports.square = (x) => x * x;\n",
}


def environment():
    """Ours, with our Python first in PATH: the peer's, also where python3 is a wrapper."""
    ours = os.path.dirname(os.path.realpath(sys.executable))
    return dict(os.environ, PATH=ours + ":" + os.environ.get("PATH", "/usr/bin:/bin"))


class Poold:
    """A poold of its own, in a temporary folder, with 4 workers or as many as said; `functions` names manifests."""

    def __init__(self, binaries, processes=4, functions=()):
        self.plugin = os.path.realpath(os.path.join(binaries, "../tests/bench_plugins/objects_plugin.so"))
        self.processes = processes
        self.functions = functions
        self.dir = tempfile.mkdtemp(prefix="poold-bench-")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(
            [os.path.join(binaries, "poold"), "--listen", "127.0.0.1:0", "--data", os.path.join(self.dir, "data"),
             "--processes", str(processes)] + self.write_functions(functions), stderr=self.log, stdout=self.log,
            stdin=subprocess.DEVNULL, start_new_session=True, env=environment())
        self.port = self.wait_port()
        self.wait_workers()

    def write_functions(self, names):
        folder = os.path.join(self.dir, "functions")
        os.mkdir(folder)
        for name in names:
            with open(os.path.join(folder, name + ".json"), "w") as file:
                json.dump(dict(MANIFESTS[name], name=name), file)
        for name, text in SOURCES.items():
            with open(os.path.join(folder, name), "w") as file:
                file.write(text)
        for name in objects.FILES:
            shutil.copy(os.path.join(HERE, name), folder)
        if "inc" in names:
            os.symlink(self.plugin, os.path.join(folder, "objects_plugin.so"))
        return ["--functions", folder] if names else []

    def wait_port(self):
        for _ in range(3000):
            with open(self.log.name) as log:
                found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", log.read())
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise Wrong("poold did not start: " + open(self.log.name).read()[-2000:])

    def get(self, path):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port, path), timeout=30) as answer:
            return answer.read().decode()

    def wait_workers(self):
        for _ in range(1000):
            workers = json.loads(self.get("/v1/workers"))
            workers = workers if isinstance(workers, list) else workers["workers"]
            if sum(w["state"] == "ready" for w in workers) >= self.processes:
                return
            time.sleep(0.01)
        raise Wrong("%d workers did not become ready" % self.processes)

    def commits(self):
        """The counter of committed transactions (one sync each), or None where /metrics is not there yet."""
        try:
            found = re.search(r"^poold_\w*commits_total(?:\{[^}]*\})? (\S+)", self.get("/metrics"), re.M)
        except OSError:
            return None
        return float(found.group(1)) if found else None

    def pids(self):
        return tree(self.process.pid)

    def peaks(self):
        """Peak RSS in MiB: of the server, and the largest of the workers."""
        server, worker = 0.0, 0.0
        for pid in self.pids():
            name = open("/proc/%d/comm" % pid).read().strip()
            peak = status_kib("/proc/%d/status" % pid, "VmHWM:") / MIB
            if name == "poold-server":
                server = peak
            elif name == "poold-worker":
                worker = max(worker, peak)
        return server, worker

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            raise Wrong("poold did not stop within 30 s of SIGTERM")
        finally:
            self.log.close()
            shutil.rmtree(self.dir, ignore_errors=True)


class Peer:
    """pool_bench.py or another one, waiting for work on its stdin."""

    def __init__(self, argv=(sys.executable, os.path.join(HERE, "pool_bench.py"))):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Wrong("the peer ended")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)


def status_kib(path, name):
    for line in open(path):
        if line.startswith(name):
            return int(line.split()[1])
    return 0


def tree(root):
    """All processes below and with `root`."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            text = open(path).read()
        except OSError:
            continue
        parents[int(text.split()[0])] = int(text.rsplit(")", 1)[1].split()[1])
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def pss_mib(root):
    return sum(status_kib("/proc/%d/smaps_rollup" % pid, "Pss:") for pid in tree(root)) / MIB


def per_second(n, argv):
    """How many commands a second something like xargs starts, given n lines on its stdin."""
    lines = "".join("%d\n" % i for i in range(n))
    start = time.perf_counter()
    done = subprocess.run(argv, input=lines, text=True, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Wrong("%s: exit status %d" % (argv[0], done.returncode))
    return n / (time.perf_counter() - start)


class Bench:
    def __init__(self, options):
        self.options = options
        self.samples = {}  # (row, who) -> values
        self.rows = []

    def client(self, poold, *words):
        # What an earlier work left to be written back and checkpointed must not slow this one's fsyncs.
        os.sync()
        time.sleep(0.3)
        before = poold.commits()
        done = subprocess.run([self.options.client, str(poold.port)] + [str(w) for w in words], capture_output=True,
                              text=True)
        sys.stderr.write(done.stderr)
        if done.returncode != 0:
            raise Wrong("bench_client %s: exit status %d" % (" ".join(str(w) for w in words), done.returncode))
        answer = json.loads(done.stdout)
        after = poold.commits()
        if before is not None and after is not None and not poold.functions:
            self.add(words[0], "syncs", (after - before) / answer["jobs"])
        return answer

    def add(self, row, who, value):
        self.samples.setdefault((row, who), []).append(value)

    def median(self, row, who):
        values = self.samples.get((row, who))
        return statistics.median(values) if values else None

    def wanted(self, name):
        return self.options.only is None or self.options.only == name

    # ---- one round of each work ----

    def round(self, poold, peer):
        n, applies, each = (2000, 50, 10) if self.options.quick else (100000, 2000, 250)
        if self.wanted("w1-completion") or self.wanted("w1-input"):
            for order in ("completion", "input"):
                self.add("w1-" + order, "poold", self.client(poold, "map", n, "square", order, "ints")["per_second"])
            for work in ("map", "imap64", "imap1"):
                self.add(work, "peer", peer.ask(work, n)["per_second"])
        if self.wanted("w1-objects"):
            self.add("objects", "poold", self.client(poold, "map", n, "echo", "completion", "objects")["per_second"])
            self.add("objects", "peer", peer.ask("objects64", n)["per_second"])
        if self.wanted("w2"):
            self.add("w2", "poold", self.client(poold, "apply", applies)["p50"] * 1e6)
            self.add("w2", "peer", peer.ask("apply", applies)["p50"] * 1e6)
        if self.wanted("w3"):
            self.add("w3", "poold", self.client(poold, "clients", each, 16)["per_second"])
            self.add("w3", "peer", peer.ask("threads", each, 16)["per_second"])
        if self.wanted("beside"):
            answer = self.client(poold, "beside", 20000 if self.options.quick else 1000000)
            self.add("beside", "poold", answer["p99"] * 1e3)
            self.add("beside", "samples", answer["samples"])

    def commands(self, poold):
        """exec: as many processes at once as xargs -P2 has."""
        n, slow = (200, 20) if self.options.quick else (2000, 400)
        self.add("exec", "poold", self.client(poold, "map", n, "true", "completion", "empty")["per_second"])
        self.add("exec", "xargs", per_second(n, ["xargs", "-P2", "-n1", "/bin/true"]))
        if shutil.which("parallel"):
            self.add("exec", "parallel", per_second(slow, ["parallel", "-j2", "/bin/true"]))
        self.add("exec", "bare", self.client(poold, "spawn", n, 2)["per_second"])

    def runtimes(self, poold, peer):
        n, applies = (2000, 50) if self.options.quick else (100000, 2000)
        # The row "node" compares both.
        for name in [name for name in ("python", "node") if self.wanted(name) or self.wanted("node")]:
            # Once, so that each worker has it; a pool's are warm, too.
            function = {"python": "py", "node": "js"}[name] + ".square"
            self.client(poold, "map", n // 10, function, "completion", "ints")
            self.add(name, "poold", self.client(poold, "map", n, function, "completion", "ints")["per_second"])
        if self.wanted("python"):
            self.add("python", "imap1", peer.ask("imap1", n)["per_second"])
            self.add("python", "imap64", peer.ask("imap64", n)["per_second"])
        if self.wanted("python-apply"):
            self.client(poold, "apply", applies // 10, "py.square")
            self.add("python-apply", "poold", self.client(poold, "apply", applies, "py.square")["p50"] * 1e6)
            self.add("python-apply", "builtin", self.client(poold, "apply", applies)["p50"] * 1e6)
            self.add("python-apply", "peer", peer.ask("apply", applies)["p50"] * 1e6)

    def objects(self, rounds):
        poold, peer = Poold(self.options.binaries, 4, list(objects.MANIFESTS)), Peer(objects.peer_argv())
        try:
            objects.warm(poold)
            for i in range(rounds):
                sys.stderr.write("objects, round %d of %d\n" % (i + 1, rounds))
                objects.rounds(self, poold, peer, self.options.quick, i)
        finally:
            peer.stop()
            poold.stop()

    def memory(self):
        poold, peer = Poold(self.options.binaries), Peer()
        time.sleep(0.5)
        self.add("memory", "poold", pss_mib(poold.process.pid))
        self.add("memory", "peer", pss_mib(peer.process.pid))
        peer.stop()
        poold.stop()

    def upload(self, rounds):
        few, many = (2000, 20000) if self.options.quick else (100000, 10000000)
        for _ in range(rounds):
            poold = Poold(self.options.binaries)
            small = [self.client(poold, "upload", few)["seconds"] / few for _ in range(3)]
            self.add("upload", "few", statistics.median(small) * 1e6)
            self.add("upload", "many", self.client(poold, "upload", many)["seconds"] / many * 1e6)
            server, worker = poold.peaks()
            self.add("upload", "server", server)
            self.add("upload", "worker", worker)
            poold.stop()

    def run(self):
        rounds = 1 if self.options.quick else self.options.rounds
        if any(self.wanted(w) for w in ("w1-completion", "w1-input", "w1-objects", "w2", "w3", "beside")):
            poold, peer = Poold(self.options.binaries), Peer()
            for i in range(rounds):
                sys.stderr.write("round %d of %d\n" % (i + 1, rounds))
                self.round(poold, peer)
            peer.stop()
            poold.stop()
        if self.wanted("exec"):
            poold = Poold(self.options.binaries, 2, ["true"])
            for i in range(rounds):
                sys.stderr.write("exec, round %d of %d\n" % (i + 1, rounds))
                self.commands(poold)
            poold.stop()
        if any(self.wanted(w) for w in ("python", "python-apply", "node")):
            poold, peer = Poold(self.options.binaries, 4, ["py", "js"]), Peer()
            for i in range(rounds):
                sys.stderr.write("runtimes, round %d of %d\n" % (i + 1, rounds))
                self.runtimes(poold, peer)
            peer.stop()
            poold.stop()
        if any(self.wanted(w) for w in objects.NAMES):
            self.objects(rounds)
        if self.wanted("memory"):
            self.memory()
        if self.wanted("upload"):
            self.upload(rounds)

    # ---- the table ----

    def row(self, name, work, poold, peer, floor, aim, unit, more_is_better):
        """One line of the table. `poold` and `peer` name samples; floor and aim are bounds of poold ÷ peer, or of poold
        itself without a peer. The machine drifts up to 2 x, so the ratio is the median of those within a round."""
        ours, theirs = self.samples.get(poold), self.samples.get(peer, [])
        if not ours or (peer and not theirs):
            return
        ratios = [a / b for a, b in zip(ours, theirs)]
        judged = statistics.median(ratios or ours)
        reached = (lambda bound: judged >= bound) if more_is_better else (lambda bound: judged <= bound)
        verdict = "aim reached" if reached(aim) else "floor held" if reached(floor) else "FLOOR MISSED"
        self.rows.append({"name": name, "work": work, "poold": statistics.median(ours),
                          "peer": statistics.median(theirs) if theirs else None, "ratio": judged if ratios else None,
                          "least": min(ratios, default=None), "most": max(ratios, default=None), "floor": floor,
                          "aim": aim, "unit": unit, "more_is_better": more_is_better,
                          "verdict": "not judged" if self.options.quick else verdict})

    def judge(self):
        peers = (("map", "Pool.map", 0.5), ("imap64", "imap_unordered(64)", 1.5), ("imap1", "imap_unordered(1)", 40))
        for order, share in (("completion", 1.0), ("input", 0.9)):
            for peer, title, floor in peers:
                self.row("w1-" + order, "W1 %s / %s" % (order, title), ("w1-" + order, "poold"), (peer, "peer"),
                         floor * share, 1.2 if peer == "map" else floor * share, "items/s", True)
        self.row("w1-objects", "W1 objects / imap_unordered(64)", ("objects", "poold"), ("objects", "peer"), 1.0, 2.0,
                 "items/s", True)
        self.row("w2", "W2 apply p50 / Pool.apply", ("w2", "poold"), ("w2", "peer"), 1.3, 0.9, "us", False)
        self.row("w3", "W3 16 clients / 16 threads", ("w3", "poold"), ("w3", "peer"), 1.5, 2.7, "jobs/s", True)
        self.row("exec", "exec /bin/true / xargs -P2", ("exec", "poold"), ("exec", "xargs"), 1.3, 1.6, "items/s", True)
        if ("exec", "parallel") in self.samples:
            self.row("exec", "exec /bin/true / GNU parallel", ("exec", "poold"), ("exec", "parallel"), 10, 10,
                     "items/s", True)
        self.row("exec", "exec /bin/true / bare vfork loop", ("exec", "poold"), ("exec", "bare"), 0.6, 0.8, "items/s",
                 True)
        self.row("python", "Python W1 / imap_unordered(1)", ("python", "poold"), ("python", "imap1"), 10, 20, "items/s",
                 True)
        self.row("python", "Python W1 / imap_unordered(64)", ("python", "poold"), ("python", "imap64"), 0.25, 0.5,
                 "items/s", True)
        self.row("python-apply", "Python apply p50 / Pool.apply", ("python-apply", "poold"), ("python-apply", "peer"),
                 1.3, 1.0, "us", False)
        self.row("python-apply", "Python apply p50 / built in", ("python-apply", "poold"), ("python-apply", "builtin"),
                 1.5, 1.2, "us", False)
        self.row("node", "Node W1 / Python W1", ("node", "poold"), ("python", "poold"), 1.0, 1.2, "items/s", True)
        objects.judge(self)
        self.row("memory", "idle memory, PSS", ("memory", "poold"), ("memory", "peer"), 0.5, 0.2, "MiB", False)
        self.row("upload", "10M NDJSON / 100k, per item", ("upload", "many"), ("upload", "few"), 1.3, 1.05, "us", False)
        self.row("upload", "10M: peak RSS of poold-server", ("upload", "server"), None, 96, 96, "MiB", False)
        self.row("upload", "10M: peak RSS of a worker", ("upload", "worker"), None, 16, 16, "MiB", False)
        self.row("beside", "apply beside a 1M map, p99", ("beside", "poold"), None, 50, 15, "ms", False)

    def print_table(self):
        print("%-34s %14s %14s %7s %13s %7s %7s  %s" % ("work", "poold", "peer", "ratio", "(of rounds)", "floor", "aim",
                                                       "verdict"))
        for r in self.rows:
            sign = ">=" if r["more_is_better"] else "<="
            print("%-34s %14s %14s %7s %13s %7s %7s  %s" % (
                r["work"], number(r["poold"], r["unit"]), number(r["peer"], r["unit"]),
                "-" if r["ratio"] is None else "%.2f" % r["ratio"],
                "" if r["ratio"] is None else "%.2f-%.2f" % (r["least"], r["most"]), sign + "%g" % round(r["floor"], 2),
                sign + "%g" % r["aim"], r["verdict"]))
        titles = {"apply": "a lone waited apply", "clients": "an apply of 16 clients", "map": "a map of W1"}
        for work, title in titles.items():
            syncs = self.median(work, "syncs")
            if syncs is not None:
                print("syncs per job, %s: %.2f" % (title, syncs))
        missed = [r["work"] for r in self.rows if r["verdict"] == "FLOOR MISSED"]
        if missed:
            print("MISSED FLOORS (%d): %s" % (len(missed), "; ".join(missed)))
        if self.options.quick:
            print("(quick: small sizes, one round; only the results were judged)")


def number(value, unit):
    if value is None:
        return "-"
    if value >= 1e5:
        return "%.2f M %s" % (value / 1e6, unit)
    return "%.4g %s" % (value, unit) if value < 1000 else "%.0f %s" % (value, unit)


NAMES = ("w1-completion", "w1-input", "w1-objects", "w2", "w3", "beside", "exec", "python", "python-apply", "node",
         *objects.NAMES, "memory", "upload")


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", epilog=(
        "w1-*: 100,000 x square (or objects through echo) against Pool(4); w2: one apply at a time; w3: 16 clients; "
        "beside: applies beside a map; exec: 2,000 x /bin/true on 2 workers against xargs -P2, GNU parallel (where it is "
        "installed) and a bare vfork + exec loop; python, node: W1 in a runtime; python-apply: W2 in a runtime; "
        "queue, dict, lock, array: two Python tasks, one, four, one, against a Manager and an Array; array-c: a plugin against "
        "plain C; memory: PSS; upload: 10 million lines."))
    parser.add_argument("--rounds", type=int, default=5, help="the medians of so many (5)")
    parser.add_argument("--only", choices=NAMES, help="only this work")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round; times are not judged")
    parser.add_argument("--json", metavar="FILE", help="write all samples there, too")
    parser.add_argument("--list", action="store_true", help="the names for --only")
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--client", required=True)
    parser.add_argument("--build-dir", help=argparse.SUPPRESS)
    parser.add_argument("--no-build", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list:
        print("\n".join(NAMES))
        return 0
    bench = Bench(options)
    try:
        bench.run()
    except Wrong as wrong:
        print("WRONG: %s" % wrong)
        return 1
    bench.judge()
    bench.print_table()
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"rows": bench.rows, "samples": {" ".join(k): v for k, v in bench.samples.items()}}, file,
                      indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
