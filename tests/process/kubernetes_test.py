#!/usr/bin/env python3
"""deploy/kubernetes/ is right by Kubernetes' own schema.

    tests/process/kubernetes_test.py SOURCE_DIR

The schema is kubernetes-models, fetched by npm into a folder that is removed again. Skipped (77) where there is no node
or nothing to fetch from.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

SCHEMA = "kubernetes-models@5.1.0"
HERE = os.path.dirname(os.path.abspath(__file__))
# What must be noticed, or the check is worth nothing: (what is replaced, by what, what is said then).
FAULTS = [("containerPort: 8080", "containerPort: http", "containerPort: type"),
          ("readOnlyRootFilesystem", "readOnlyRootFileSystem", "readOnlyRootFileSystem: there is no such field"),
          ("claimName", "claim", "persistentVolumeClaim: required")]


def skip(*why):
    print("skipped:", *why)
    sys.exit(77)


def fetch(folder):
    with open(folder + "/package.json", "w", encoding="utf-8") as file:
        file.write('{"private":true}')
    command = ["timeout", "60", "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", SCHEMA]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        skip("npm could not fetch", SCHEMA, done.stdout[-500:])
    return folder + "/node_modules/kubernetes-models"


def faults(schema, text):
    return subprocess.run(["node", HERE + "/kubernetes_check.js", schema], check=True, text=True,
                          stdout=subprocess.PIPE, input=json.dumps(list(yaml.safe_load_all(text)))).stdout


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("node") or not shutil.which("npm"):
        skip("there is no node with npm")
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="poold-kubernetes-") as folder:
        schema = fetch(folder)
        for name in sorted(glob.glob(os.path.join(sys.argv[1], "deploy/kubernetes/*.yaml"))):
            with open(name, encoding="utf-8") as file:
                text = file.read()
            said = faults(schema, text)
            wrong += bool(said)
            print("%s: %s" % (os.path.basename(name), said or "right"))
            for old, new, expected in FAULTS:
                said = faults(schema, re.sub(old, new, text))
                if expected not in said:
                    wrong += 1
                    print("WRONG: with %s nothing is said of it: %s" % (new, said))
    sys.exit(wrong > 0)


main()
