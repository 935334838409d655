#!/usr/bin/env python3
"""docs/operations.md lists every metric as /metrics gives it, and every alert of deploy/prometheus-rules.yml.

    tests/process/operations_test.py SOURCE_DIR build/bin/poold             exit status 0 if it does
    tests/process/operations_test.py SOURCE_DIR build/bin/poold --update    writes the tables
"""
import os
import re
import sys

import yaml

from stack_kit import StackHouse


def metrics(house):
    """The table's rows: name with its labels, kind, meaning."""
    status, text = house.ask("GET", "/metrics", accept="text/plain")
    if status != 200:
        sys.exit("GET /metrics: %d" % status)
    labels = {}
    for name, inner in re.findall(r"^(\w+)\{(.*)\} ", text, re.M):
        name = re.sub(r"_(bucket|sum|count)$", "", name)
        labels.setdefault(name, set()).update(set(re.findall(r'(\w+)="', inner)) - {"le"})
    rows = []
    for name, meaning, kind in re.findall(r"^# HELP (\w+) (.*)\n# TYPE \w+ (\w+)$", text, re.M):
        shown = name + ("{%s}" % ", ".join(sorted(labels[name])) if labels.get(name) else "")
        rows.append("| `%s` | %s | %s |\n" % (shown, kind, meaning))
    return "| metric | kind | |\n|-|-|-|\n" + "".join(rows)


def alerts(source):
    with open(os.path.join(source, "deploy", "prometheus-rules.yml"), encoding="utf-8") as file:
        rules = [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]

    def said(text):
        text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"(\1)", text)
        return re.sub(r"\{\{ \$value.*?\}\}", "(number)", text)

    rows = ["| `%s` | %s | %s | %s |\n" % (rule["alert"], rule["labels"]["severity"], said(rule["annotations"]["summary"]),
                                           rule["annotations"]["action"]) for rule in rules]
    return "| alert | severity | | what to do |\n|-|-|-|-|\n" + "".join(rows)


def replace(text, name, table):
    section = re.compile(r"(<!-- %s: .*? -->\n).*?(<!-- end -->)" % name, re.S)
    if len(section.findall(text)) != 1:
        sys.exit("docs/operations.md has no place for " + name)
    return section.sub(lambda match: match.group(1) + table + match.group(2), text)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    source, binary = sys.argv[1:3]
    house = StackHouse(binary, processes=1)
    try:
        tables = {"metrics": metrics(house), "alerts": alerts(source)}
        house.stop()
    finally:
        house.clean_up()
    path = os.path.join(source, "docs", "operations.md")
    with open(path, encoding="utf-8") as file:
        text = fresh = file.read()
    for name, table in tables.items():
        fresh = replace(fresh, name, table)
    if "--update" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(fresh)
    elif fresh != text:
        old = set(text.splitlines())
        sys.exit("docs/operations.md is behind (--update):\n" + "\n".join(l for l in fresh.splitlines() if l not in old))


main()
