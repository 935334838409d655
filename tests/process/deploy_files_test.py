#!/usr/bin/env python3
"""The files in deploy/ that only containers read agree with each other and with this build.

    tests/process/deploy_files_test.py SOURCE_DIR build/bin/poold
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import yaml

# What provides each library that the programs are linked with; all others come with libc6 or the sanitizers.
PACKAGES = {"libmicrohttpd": "libmicrohttpd12", "libgnutls": "libgnutls30", "libjansson": "libjansson4", "libsqlite3": "libsqlite3-0",
            "libuv": "libuv1", "libseccomp": "libseccomp2"}
OF_THE_BASE = re.compile(r"lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|resolv|asan|ubsan|tsan)\.so|ld-")
PROGRAMS = {"poold", "poold-server", "poold-worker", "poold-call"}
USER = 10001
wrong = 0


def check(good, *what):
    global wrong
    if not good:
        wrong += 1
        print("WRONG:", *what)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def options_of(binary):
    """{"POOLD_LISTEN": "127.0.0.1:8080", ...}"""
    text = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^  --([a-z-]+).*?; default: (.*?)\]$", text, re.M | re.S)
    return {"POOLD_" + name.upper().replace("-", "_"): default for name, default in found}


def check_variables(name, text, options):
    for variable in set(re.findall(r"\bPOOLD_[A-Z_]+\b", text)) - {"POOLD_TESTS", "POOLD_HOST"}:
        check(variable in options, name, "names", variable, "which poold does not have")


def check_locked_down(name, service):
    check(service.get("read_only") is True, name, "has a root that can be written")
    check(service.get("cap_drop") == ["ALL"], name, "has capabilities")
    check("no-new-privileges:true" in service.get("security_opt", []), name, "may gain privileges")


def check_compose(deploy, port):
    compose = yaml.safe_load(read(deploy, "compose.yaml"))
    poold, nginx, prometheus = (compose["services"][name] for name in ("poold", "nginx", "prometheus"))
    check(os.path.isfile(os.path.join(deploy, poold["build"], "Dockerfile")), "no Dockerfile where compose.yaml builds")
    for name, service in compose["services"].items():
        check_locked_down(name, service)
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            there = source.startswith(".") and os.path.exists(os.path.join(deploy, source))
            check(there or source in compose["volumes"], name, "mounts", source, "which is not there")
        for secret in service.get("secrets", []):
            check(secret in compose["secrets"], name, "has no secret", secret)
        for published in service.get("ports", []):
            check(published.startswith("127.0.0.1:"), name, "is published beyond loopback")
    check(poold["stop_grace_period"] == "20s", "less than a drain may take")
    check("data:/data" in poold["volumes"], "poold has no volume")
    check("ports" not in poold, "poold is reached beside nginx")
    check("127.0.0.1:%d:8080" % port in nginx["ports"], "nginx is not published where the README says")
    settings = yaml.safe_load(read(deploy, "prometheus.yml"))
    for rules in settings["rule_files"]:
        check("./%s:/etc/prometheus/%s:ro" % (rules, rules) in prometheus["volumes"], "Prometheus does not see", rules)
    scrape = settings["scrape_configs"][0]
    check(scrape["static_configs"] == [{"targets": ["poold:%d" % port]}], "Prometheus scrapes another target")
    check(scrape["metrics_path"] == "/metrics", "Prometheus scrapes another path")
    token = scrape["authorization"]["credentials_file"]
    check(token == "/run/secrets/" + prometheus["secrets"][0], "Prometheus reads another token")
    check("POOLD_TOKEN_FILE=" + token in read(deploy, "..", "Dockerfile"), "poold reads another token")
    check("/deploy/poold_token" in read(deploy, "..", ".gitignore").split(), "the token could be committed")


def check_nginx(deploy, port):
    text = read(deploy, "nginx.conf")
    for line in ("proxy_buffering off;", "proxy_request_buffering off;", "proxy_http_version 1.1;", "listen 8080;",
                 "client_max_body_size 0;", "proxy_set_header Host $http_host;", "server poold:%d;" % port):
        check(line in text, "nginx.conf lacks", line)
    check(re.search(r"proxy_read_timeout \d+h;", text), "nginx.conf cuts off who waits")
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not nginx:
        print("(nginx is not installed: its own check is skipped)")
        return
    with tempfile.TemporaryDirectory(prefix="poold-nginx-") as folder:
        text = text.replace("server poold:", "server 127.0.0.1:")  # the name is known in the stack only
        text = text.replace("/tmp/", folder + "/").replace("/dev/std", folder + "/std")
        with open(folder + "/nginx.conf", "w", encoding="utf-8") as file:
            file.write(text)
        run = subprocess.run([nginx, "-t", "-p", folder, "-c", folder + "/nginx.conf"], capture_output=True, text=True,
                             check=False)
        check(run.returncode == 0, "nginx -t:", run.stderr)


def check_deployment(deployment, objects, port):
    spec = deployment["spec"]
    check(spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}, "two pods could share a database")
    labels = spec["template"]["metadata"]["labels"]
    check(spec["selector"]["matchLabels"] == labels, "the Deployment selects other pods")
    check(objects["Service"]["spec"]["selector"] == labels, "the Service selects other pods")
    pod = spec["template"]["spec"]
    user = pod["securityContext"]
    check(user["runAsUser"] == user["runAsGroup"] == user["fsGroup"] == USER, "another user than the Dockerfile's")
    check(user["runAsNonRoot"] is True and pod["automountServiceAccountToken"] is False, "the pod may too much")
    box = pod["containers"][0]
    security = box["securityContext"]
    check(security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False and
          security["capabilities"] == {"drop": ["ALL"]}, "the container may too much")
    check(box["ports"] == [{"name": "http", "containerPort": port}], "another port than poold's")
    check(objects["Service"]["spec"]["ports"][0]["targetPort"] == "http", "the Service has another port")
    check(box["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}, "another liveness probe")
    check(box["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}, "another readiness probe")
    check_volumes(pod, box, objects)


def check_volumes(pod, box, objects):
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in box["volumeMounts"]}
    check(set(mounts.values()) == set(volumes), "mounts and volumes differ")
    claim = volumes[mounts["/data"]]["persistentVolumeClaim"]["claimName"]
    check(claim == objects["PersistentVolumeClaim"]["metadata"]["name"], "no such claim:", claim)
    token = next(v["value"] for v in box["env"] if v["name"] == "POOLD_TOKEN_FILE")
    check("secret" in volumes[mounts[os.path.dirname(token)]], "the token is not where poold reads it")


def check_kubernetes(deploy, port):
    documents = list(yaml.safe_load_all(read(deploy, "kubernetes", "poold.yaml")))
    objects = {document["kind"]: document for document in documents}
    check(set(objects) == {"PersistentVolumeClaim", "Deployment", "Service"}, "objects:", sorted(objects))
    versions = {kind: document["apiVersion"] for kind, document in objects.items()}
    check(versions == {"PersistentVolumeClaim": "v1", "Deployment": "apps/v1", "Service": "v1"}, versions)
    return check_deployment(objects["Deployment"], objects, port)


def check_dockerfile(source, bin_dir, port):
    text = read(source, "Dockerfile")
    steps = re.sub(r"^#.*\n", "", text, flags=re.M)
    stages = re.findall(r"install -y --no-install-recommends (.*?)(?: &&|$)", steps.replace("\\\n", " "), re.M)
    check(len(stages) == 2, "the Dockerfile has other stages")
    listed = re.search(r"^build_packages=\((.*?)\)", read(source, "deploy", "install-deps.sh"), re.M | re.S).group(1)
    # curl and certificates are for the demonstration.
    check(set(stages[0].split()) == set(listed.split()) - {"curl", "ca-certificates"}, "packages to build:", stages[0])
    copied = re.findall(r" /build/bin/(\S+)", "\n".join(re.findall(r"^COPY .*", text, re.M)))
    check(PROGRAMS | {"runtimes"} <= set(copied), "the image lacks programs")
    for name in copied:
        check(os.path.exists(os.path.join(bin_dir, name)), "the build makes no", name)
    for name in PROGRAMS:
        check_libraries(os.path.join(bin_dir, name), stages[1].split())
    for line in ("USER %d:%d" % (USER, USER), "EXPOSE %d" % port, "VOLUME /data",
                 "COPY deploy/healthcheck.sh " + healthcheck(source)[0]):
        check(line in text, "the Dockerfile lacks", line)
    read_by_build = [line[1:] for line in read(source, ".dockerignore").split("\n") if line.startswith("!")]
    for folder in re.findall(r"^add_subdirectory\((\w+)", read(source, "CMakeLists.txt"), re.M):
        check(folder in read_by_build, ".dockerignore lacks", folder)


def check_libraries(program, packages):
    text = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"\(NEEDED\).*\[(.*?)\]", text):
        if not OF_THE_BASE.match(library):
            check(PACKAGES.get(library.split(".so")[0]) in packages, program, "needs", library, "not in the image")


def healthcheck(source):
    text = read(source, "Dockerfile").replace("\\\n", "")
    return json.loads(re.search(r"^HEALTHCHECK .*? CMD (\[.*\])$", text, re.M).group(1))


def certificate(folder):
    """The options of TLS, or None where there is nothing to make a certificate with."""
    if not shutil.which("openssl"):
        print("(there is no openssl: the probe with TLS is skipped)")
        return None
    cert, key = folder + "/cert.pem", folder + "/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=localhost", "-out", cert, "-keyout", key], check=True, capture_output=True)
    return {"POOLD_TLS_CERT": cert, "POOLD_TLS_KEY": key}


def children(pid):
    return [int(child) for child in read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def stop(pid):
    """SIGSTOP, and it has: all its threads. They take a moment where there are few CPUs."""
    os.kill(pid, signal.SIGSTOP)
    tasks = ["/proc/%d/task/%s/stat" % (pid, task) for task in os.listdir("/proc/%d/task" % pid)]
    while any(read(task).rpartition(")")[2].split()[0] != "T" for task in tasks):
        time.sleep(0.01)


def check_probe(probe, binary, folder, paths, notices_a_stop, **options):
    """It says yes to a real poold with a token, and no while its server is stopped (which takes it 2 s to see) and
    when it has gone."""
    def says_yes(path):
        return subprocess.run([probe, path], env=environment, capture_output=True, check=False).returncode == 0

    environment = {k: v for k, v in os.environ.items() if not k.startswith("POOLD_")}
    environment.update(options, POOLD_TOKEN_FILE=folder + "/token", POOLD_DATA=folder + "/data", POOLD_PROCESSES="1")
    poold = subprocess.Popen([binary], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        check(any("listening on" in line for line in poold.stderr), "poold does not start with", options)
        for path in paths:
            patience = time.monotonic() + 20  # until a worker is there
            while not says_yes(path) and time.monotonic() < patience:
                time.sleep(0.1)
            check(says_yes(path), "a probe fails:", path, "with", options)
        if notices_a_stop:
            server = next(pid for pid in children(poold.pid) if read("/proc/%d/comm" % pid).strip() == "poold-server")
            stop(server)
            check(not says_yes(paths[0]), "the probe does not notice that the server is stopped, with", options)
            os.kill(server, signal.SIGCONT)
    finally:
        poold.terminate()
        poold.communicate(timeout=30)
    check(not says_yes(paths[0]), "the probe does not notice that poold has gone, with", options)


def check_probes(probe, binary):
    with tempfile.TemporaryDirectory(prefix="poold-probe-") as folder:
        with open(folder + "/token", "w", encoding="utf-8") as file:
            file.write("0123456789abcdef" * 4 + "\n")
        for listen in ["0.0.0.0:0"] + ["[::1]:0"] * socket.has_ipv6:
            check_probe(probe, binary, folder, ["/healthz", "/readyz"], False, POOLD_LISTEN=listen)
        tls = certificate(folder)
        if tls is not None:
            check_probe(probe, binary, folder, ["/healthz"], True, POOLD_LISTEN="127.0.0.1:0", **tls)


def check_unit(deploy):
    text = read(deploy, "poold.service")
    for line in ("DynamicUser=yes", "StateDirectory=poold",
                 "Environment=POOLD_LISTEN=127.0.0.1:8080 POOLD_DATA=/var/lib/poold", "KillMode=mixed", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=",
                 "ExecReload=/bin/kill -HUP $MAINPID"):
        check(line in text.split("\n"), "poold.service lacks", line)


def check_page(source):
    """Its commands need engines and clusters; what they name is there. (image_test.py has the docker run.)"""
    text = read(source, "docs", "deployment.md")
    commands = "\n".join(re.findall(r"^```text\n(.*?)^```$", text, re.M | re.S))
    for path in re.findall(r"(?<![\w/])deploy/[\w./-]+", commands):
        check(os.path.exists(os.path.join(source, path)), "docs/deployment.md names", path)
    compose, pod = read(source, "deploy", "compose.yaml"), read(source, "deploy", "kubernetes", "poold.yaml")
    for line in re.findall(r"^(?:head|kubectl create) .*$", commands, re.M):
        check("#   " + line in (pod if line.startswith("kubectl") else compose).split("\n"), "another command:", line)
    secret = re.search(r"secret generic (\S+) --from-literal=(\w+)=", commands).groups()
    check("secretName: " + secret[0] in pod and "/%s\n" % secret[1] in pod, "another secret:", secret)
    unit = read(source, "deploy", "poold.service")
    check("cp -r build/bin /opt/poold/" in commands and "ExecStart=/opt/poold/bin/poold\n" in unit, "another place")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, binary = sys.argv[1:]
    deploy = os.path.join(source, "deploy")
    options = options_of(binary)
    port = int(options["POOLD_LISTEN"].rsplit(":", 1)[1])
    for name in ("Dockerfile", "deploy/compose.yaml", "deploy/kubernetes/poold.yaml", "deploy/poold.service"):
        check_variables(name, read(source, name), options)
    check_compose(deploy, port)
    check_nginx(deploy, port)
    check_kubernetes(deploy, port)
    check_dockerfile(source, os.path.dirname(binary), port)
    check_unit(deploy)
    check_page(source)
    check_probes(os.path.join(deploy, "healthcheck.sh"), binary)
    print("%d wrong" % wrong)
    sys.exit(wrong > 0)


main()
