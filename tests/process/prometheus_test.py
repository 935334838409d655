#!/usr/bin/env python3
"""A real Prometheus with deploy/prometheus.yml and its rules scrapes a real poold and can be asked what it did.

    tests/process/prometheus_test.py SOURCE_DIR build/bin/poold      exit status 0 if all is true, 77 without Prometheus

In the files that are shipped only the target, the token's place and the intervals are replaced. promtool judges the
files, the rules (by examples: prometheus_rules.yml) and what /metrics says after real work.
"""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

import yaml

from functions_kit import PATIENCE_S, expect, until
from stack_kit import Program, StackHouse, program, replaced

HERE = os.path.dirname(os.path.abspath(__file__))


class Prometheus(Program):
    def __init__(self, house, source):
        self.dir = os.path.join(house.dir, "prometheus")
        os.mkdir(self.dir)
        with open(os.path.join(source, "deploy", "prometheus.yml"), encoding="utf-8") as file:
            text = replaced(file.read(), ("poold:8080", house.address), ("/run/secrets/poold_token", house.token_file),
                            ("scrape_interval: 15s", "scrape_interval: 200ms"),
                            ("evaluation_interval: 15s", "evaluation_interval: 200ms"))
        with open(self.dir + "/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(text)
        shutil.copy(os.path.join(source, "deploy", "prometheus-rules.yml"), self.dir)
        super().__init__(house, "prometheus", [program("prometheus"), "--config.file=" + self.dir + "/prometheus.yml",
                                               "--storage.tsdb.path=" + self.dir + "/data",
                                               "--web.listen-address=127.0.0.1:0"])
        self.address = None

    def listens(self):
        """It does not say which port it got: the kernel does."""
        own = set()
        folder = "/proc/%d/fd/" % self.process.pid
        for fd in os.listdir(folder):
            try:
                own.update(re.findall(r"^socket:\[(\d+)\]$", os.readlink(folder + fd)))
            except FileNotFoundError:
                pass
        with open("/proc/%d/net/tcp" % self.process.pid, encoding="utf-8") as file:
            for line in file.read().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in own:
                    self.address = "127.0.0.1:%d" % int(fields[1].split(":")[1], 16)
        return self.address

    def ask(self, path, **query):
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE_S)
        connection.request("GET", "/api/v1/" + path + ("?" + urllib.parse.urlencode(query) if query else ""))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status == 503:
            return None  # it is starting
        expect(answer.status == 200, path, answer.status, text[:500].decode())
        return json.loads(text)["data"]

    def query(self, text):
        """{labels as a frozenset of pairs: value}"""
        return {frozenset(sample["metric"].items()): float(sample["value"][1])
                for sample in self.ask("query", query=text)["result"]}

    def number(self, text):
        found = self.query(text)
        return next(iter(found.values())) if len(found) == 1 else None


def promtool(*arguments, text=""):
    done = subprocess.run([program("promtool"), *arguments], input=text, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, "promtool", arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


def check_files(source):
    deploy = os.path.join(source, "deploy")
    promtool("check", "config", "--syntax-only", deploy + "/prometheus.yml")
    promtool("check", "rules", deploy + "/prometheus-rules.yml")
    promtool("test", "rules", HERE + "/prometheus_rules.yml")
    with open(deploy + "/prometheus-rules.yml", encoding="utf-8") as file:
        alerts = {rule["alert"] for group in yaml.safe_load(file)["groups"] for rule in group["rules"]}
    with open(HERE + "/prometheus_rules.yml", encoding="utf-8") as file:
        examples = {example["alertname"] for test in yaml.safe_load(file)["tests"] for example in test["alert_rule_test"]
                    if example["exp_alerts"]}
    expect(alerts == examples, "alerts without an example:", alerts ^ examples)
    return alerts


def check_metrics_used(house, source):
    """An alert on a metric that nobody gives never fires."""
    status, text = house.ask("GET", "/metrics", accept="text/plain")
    expect(status == 200)
    given = set(re.findall(r"^(\w+)[{ ]", text, re.M))
    with open(os.path.join(source, "deploy", "prometheus-rules.yml"), encoding="utf-8") as file:
        for group in yaml.safe_load(file)["groups"]:
            for rule in group["rules"]:
                used = set(re.findall(r"\b(?:poold|process)_\w+", rule["expr"]))
                expect(used <= given, rule["alert"], "asks for", used - given)


def work(house):
    house.map("sleep", [0.2] * 8)
    house.map("square", list(range(1000)))
    house.map("crash", ["SIGSEGV"])
    house.map("cube", [1, "two", 3])
    house.call("echo", "x")


def check_scrape(prometheus, house):
    def scraped():
        targets = prometheus.ask("targets", state="active")
        return targets and [(t["health"], t["lastError"], t["scrapePool"]) for t in targets["activeTargets"]]

    until(lambda: scraped() == [("up", "", "poold")], lambda: "Prometheus to scrape: %r" % scraped())
    work(house)
    until(lambda: prometheus.number('poold_function_items_total{function="square",outcome="succeeded"}') == 1000,
          lambda: "what was done: %r" % prometheus.query("poold_function_items_total"))
    until(lambda: prometheus.number('poold_worker_restarts_total{cause="crash"}') == 1, "the crash")


def check_queries(prometheus):
    counts = prometheus.query("sum by (function, outcome) (poold_function_items_total) > 0")
    expect(counts == {frozenset({"function": f, "outcome": o}.items()): n for f, o, n in
                      (("sleep", "succeeded", 8), ("square", "succeeded", 1000), ("crash", "failed", 1),
                       ("cube", "succeeded", 2), ("cube", "failed", 1), ("echo", "succeeded", 1))}, counts)
    longest = prometheus.number("histogram_quantile(0.999, sum by (le) (poold_item_run_seconds_bucket))")
    expect(0.1 < longest <= 1, "the longest items took", longest, "s; they slept 0.2 s")
    median = prometheus.number("histogram_quantile(0.5, sum by (le) (poold_item_run_seconds_bucket))")
    expect(median < 0.01, "the median of 1000 squares is", median, "s")
    busy = prometheus.number('poold_function_run_seconds_total{function="sleep"}')
    expect(1.5 <= busy < 10, "8 items of 0.2 s took", busy, "s")
    kinds = prometheus.query("sum by (kind) (poold_job_submit_to_result_seconds_count) > 0")
    expect(kinds == {frozenset({("kind", "map")}): 4, frozenset({("kind", "apply")}): 1}, kinds)
    rate = until(lambda: prometheus.number("sum(rate(poold_store_commit_seconds_count[1m]))"), "a rate of commits")
    expect(rate > 0, rate)


def check_rules(prometheus, alerts):
    """All are evaluated without errors, and of a healthy pool none says anything."""
    def settled():
        groups = prometheus.ask("rules")["groups"]
        return groups and all(rule["health"] != "unknown" for group in groups for rule in group["rules"]) and groups

    rules = [rule for group in until(settled, "the rules to be evaluated") for rule in group["rules"]]
    expect({rule["name"] for rule in rules} == alerts, [rule["name"] for rule in rules])
    expect(all(rule["health"] == "ok" for rule in rules), [rule.get("lastError") for rule in rules])
    saying = [rule["name"] for rule in rules if rule["state"] == "firing"]
    expect(not saying, "a healthy pool has alerts:", saying)


def check_down(prometheus, house):
    """House.stop() wants nothing to be left; Prometheus carries the house's mark and is."""
    house.process.terminate()
    expect(house.process.wait(PATIENCE_S) == 0)
    house.process.stdin.close()
    house.process = None
    until(lambda: "PooldDown" in [a["labels"]["alertname"] for a in prometheus.ask("alerts")["alerts"]],
          "Prometheus to notice that poold has gone")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, binary = sys.argv[1:]
    program("prometheus")
    alerts = check_files(source)
    house = StackHouse(binary)
    try:
        prometheus = Prometheus(house, source)
        prometheus.wait_until(prometheus.listens, "Prometheus does not start")
        check_scrape(prometheus, house)
        check_queries(prometheus)
        check_rules(prometheus, alerts)
        said = promtool("check", "metrics", text=house.ask("GET", "/metrics", accept="text/plain")[1])
        expect(said == "", said)
        check_metrics_used(house, source)
        check_down(prometheus, house)
        prometheus.stop()
    finally:
        house.clean_up()
    print("Prometheus scrapes, asks and alerts: all true")


main()
