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

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1024.0


class Wrong(Exception):
    """A result was wrong, or a program did not run."""


class Poold:
    """A poold of its own, with 4 workers, in a temporary folder."""

    def __init__(self, binaries):
        self.dir = tempfile.mkdtemp(prefix="poold-bench-")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(
            [os.path.join(binaries, "poold"), "--listen", "127.0.0.1:0", "--data", os.path.join(self.dir, "data"),
             "--processes", "4"], stderr=self.log, stdout=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        self.port = self.wait_port()
        self.wait_workers()

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
            if sum(w["state"] == "ready" for w in workers) >= 4:
                return
            time.sleep(0.01)
        raise Wrong("4 workers did not become ready")

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
    """pool_bench.py, waiting for work on its stdin."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "pool_bench.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Wrong("pool_bench.py ended")
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
        if before is not None and after is not None:
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
        if self.wanted("memory"):
            self.memory()
        if self.wanted("upload"):
            self.upload(rounds)

    # ---- the table ----

    def row(self, name, work, poold, peer, floor, aim, unit, more_is_better):
        """One line of the table. `poold` and `peer` name samples; floor and aim are bounds of poold ÷ peer, or of poold
        itself without a peer. The machine drifts up to 2 x, so the ratio is the median of those within a round."""
        ours, theirs = self.samples.get(poold), self.samples.get(peer, [])
        if not ours:
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


NAMES = ("w1-completion", "w1-input", "w1-objects", "w2", "w3", "memory", "upload", "beside")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("--list", action="store_true")
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
