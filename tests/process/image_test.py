#!/usr/bin/env python3
"""The image, without a container engine: built by the Dockerfile's own steps, then started as an engine would start it.

    tests/process/image_test.py SOURCE_DIR CACHE_DIR     (the cache keeps the unpacked Debian from run to run)

Everything happens in mount, PID and network namespaces of its own, on a tmpfs: when it ends, however it ends, nothing
is left, neither a mount nor a process nor a file. Skipped (77) where there is no root, no overlayfs, no debootstrap or
no mirror of Debian.
"""
import argparse
import json
import os
import re
import shlex
import signal
import time

import image_build
from functions_kit import expect, until
from image_build import BASE, box, megabytes, packed_megabytes, read, run, write
from image_kit import TOKEN, Container, loopback_only, namespaces, tmpfs

# Manifests of functions that an operator might mount; `leaves` is one that forgets a process.
FUNCTIONS = {"upper": ["tr", "a-z", "A-Z"], "dies": ["sh", "-c", "kill -SEGV $$"], "naps": ["sleep", "30"],
             "leaves": ["sh", "-c", "setsid sleep 0.2 >/dev/null 2>&1 & echo 1"]}


# ---- what must be true of it ----

def check_libraries(work, image):
    with image_build.mounted(image.layers, work + "/ldd") as root:
        script = "for f in $(find /opt/poold -type f -perm /111); do ldd $f; done; true"
        said = run(*box(root=root, user=image.user, directory="/", environment=image.environment,
                        argv=["sh", "-c", script]))
    expect("libmicrohttpd" in said and "not found" not in said, "libraries:", said)


def check_first_process(container):
    status = dict(re.findall(r"^(\w+):\t(.*)$", read("/proc/%d/status" % container.pid), re.M))
    user, group = container.image.user.split(":")
    expect(status["Uid"].split() == [user] * 4 and status["Gid"].split() == [group] * 4, "runs as", status["Uid"])
    expect(user.isdigit() and int(user) > 0 and not status["Groups"].strip(), "runs as", user, status["Groups"])
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[name], 16) == 0, "has capabilities:", name, status[name])
    expect(status["NoNewPrivs"] == "1", "may gain privileges")
    expect(status["Name"] == "poold" and status["NSpid"].split()[-1] == "1", "poold is not PID 1:", status["NSpid"])
    for path, can in (("/", False), ("/opt/poold/bin", False), ("/etc", False), ("/tmp", True), ("/data", True)):
        expect((container.exec("touch", path + "/written")[0] == 0) == can, path, "can be written:", not can)
    container.exec("rm", "/tmp/written", "/data/written")


def check_access(container):
    expect(container.ask("GET", "/healthz", token=None)[0] == 200, "/healthz asks for a token")
    expect(container.ask("GET", "/v1/pool", token=None)[0] == 401, "an answer without a token")
    expect(container.ask("GET", "/v1/pool", token="f" * 64)[0] == 401, "an answer to another token")
    pool = container.get("/v1/pool")
    if "sandbox" in pool:
        print("  /v1/pool: sandbox", json.dumps(pool["sandbox"]))


def check_health(container):
    expect(container.healthy(), "HEALTHCHECK fails:", container.exec(*container.image.healthcheck[0]))
    server = container.pause("poold-server")
    expect(not container.healthy(), "HEALTHCHECK does not notice a stopped server")
    os.kill(server, signal.SIGCONT)
    until(container.healthy, "HEALTHCHECK fails for ever")


def check_work(container):
    values = [line["value"] for line in container.map("square", list(range(10000)))]
    expect(values == [n * n for n in range(10000)], "a map of 10000 is wrong")
    expect(container.map("upper", ["a b"])[0].get("value") == "A B", "a command does not run")
    lines = container.map("dies", [1, 2])
    expect([line["error"]["signal"] for line in lines] == ["SIGSEGV"] * 2, lines)
    job = container.submit("naps", [30])
    until(lambda: any(name == "sleep" for name, _ in container.processes().values()), "the item does not run")
    worker = next(w["pid"] for w in container.get("/v1/workers")["workers"] if w["job"] == job)
    expect(container.exec("sh", "-c", "kill -9 %d" % worker)[0] == 0, "no such worker in the container:", worker)
    expect(container.lines(job)[0]["error"]["type"] == "crash", "the death of a worker went unnoticed")
    expect(container.map("square", [3])[0]["value"] == 9, "no work after a crash")


def check_orphans(container):
    """PID 1 gets everybody whose parent has gone, also those that it never heard of."""
    container.map("leaves", [1, 2])
    expect(container.exec("sh", "-c", "sleep 0.2 & sleep 0.3 & exit 0")[0] == 0, "docker exec")
    until(lambda: all(name.startswith("poold") and state != "Z" for name, state in container.processes().values()),
          lambda: "processes are left: %r" % container.processes())


def mounts(work, data, *more):
    """docker run -v DATA:/data, and the secret"""
    return [[data, "/data", "rw"], [work + "/token", "/run/secrets/poold_token", "ro"], *more]


def check_command(source, image):
    """The docker run of docs/deployment.md means what check_life does."""
    text = re.search(r"^docker run (.*?)\n(?! )", read(source, "docs/deployment.md"), re.M | re.S).group(1)
    parser = argparse.ArgumentParser()
    for flag in ("--name", "--restart", "--tmpfs", "--cap-drop", "--security-opt"):
        parser.add_argument(flag)
    for flag in ("-d", "--read-only"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--stop-timeout", type=int)
    parser.add_argument("-p")
    parser.add_argument("-v", action="append")
    parser.add_argument("image")
    said = parser.parse_args(shlex.split(text.replace("\\\n", " ")))
    targets = [volume.split(":")[1:] for volume in said.v]
    expect(said.image == "poold" and targets == [["/data"], ["/run/secrets/poold_token", "ro"]], said)
    expect(said.read_only and (said.tmpfs, said.cap_drop, said.security_opt) == ("/tmp", "ALL", "no-new-privileges"),
           "docker run differs from the test:", said)
    expect(said.stop_timeout > 12 and said.p.endswith(":%d" % image.ports[0]), "docker run:", said)


def check_life(work, image):
    """One volume, three containers; the third without read-only root, to see that it is not needed."""
    data, functions = work + "/data", work + "/functions"
    with image_build.mounted(image.layers, work + "/volume") as root:  # a new volume begins as what is in the image
        run("cp", "-a", root + image.volumes[0], data)
    os.mkdir(functions)
    for name, command in FUNCTIONS.items():
        texts = {"input": "text", "output": "text"} if name == "upper" else {}
        write(json.dumps({"command": command, **texts}), functions, name + ".json")
    binds = mounts(work, data, [functions, "/functions", "ro"])
    mine = ["--functions", "/functions", "--processes", "3"]
    with Container(work, image, binds, *mine) as first:
        check_first_process(first)
        check_access(first)
        check_health(first)
        check_work(first)
        check_orphans(first)
        done, going = first.submit("cube", [1, 2, 3]), first.submit("sleep", [0.5] * 30)
        expect([line["value"] for line in first.lines(done)] == [1, 8, 27], "cube is wrong")
        expect(first.exec("ls", "-A", "/tmp") == (0, ""), "poold wrote to /tmp")
        print("  stopped in %.2f s with exit status 0" % first.stop())
        expect(first.written() == [], "written beside /data:", first.written())
    with Container(work, image, binds, *mine) as second:
        expect(second.get("/v1/jobs/" + done)["state"] == "succeeded", "a job did not outlive its container")
        expect([line["value"] for line in second.lines(done)] == [1, 8, 27], "results did not outlive their container")
        expect(second.get("/v1/jobs/" + going)["state"] == "running", "a job does not go on")
        second.kill()  # docker kill
    with Container(work, image, binds, *mine, read_only=False) as third:
        expect([line.get("value") for line in third.lines(going)] == [0.5] * 30, "a job did not outlive SIGKILL")
        third.stop()
        expect(third.written() == [], "written beside /data:", third.written())


def check_size(source, image, base):
    """What README and Dockerfile say of it, to the MB."""
    added = image.layers[len(base.layers):]
    above, packed_above = sum(map(megabytes, added)), sum(map(packed_megabytes, added))
    whole, packed = megabytes(base.layers[0]) + above, packed_megabytes(base.layers[0]) + packed_above
    print("  image: %.1f MB, of these %.1f MB in the layers above the base; packed %.1f MB, of these %.1f MB" %
          (whole, above, packed, packed_above))
    for name, pattern, sizes in (
            ("README.md", r"adds (\d+) MB to Debian's slim image", [above]),
            ("docs/deployment.md", r"adds (\d+) MB to Debian's slim image; that is (\d+) MB in all, (\d+) MB to pull",
             [above, whole, packed])):
        said = re.search(pattern, read(source, name))
        expect(said and all(abs(size - int(number)) <= 1 for size, number in zip(sizes, said.groups())),
               "the %s says" % name, said and said.group(0))


def derived(work, image, builder, text):
    """The Dockerfile's comment on how to make an image with functions of one's own: taken at its word."""
    context = work + "/own"
    os.makedirs(context + "/functions")
    write("def words(text):\n    return len(text.split())\n", context, "functions/text.py")
    write('{"runtime": "python", "module": "text"}', context, "functions/text.json")
    comment = "\n".join(re.findall(r"^#   ?(.*)$", text.partition("\nFROM")[0], re.M))
    builder.images["poold"] = image
    return builder.build(comment, context)


def check_derived(work, own):
    data = work + "/own-data"
    os.mkdir(data)
    os.chown(data, *map(int, own.user.split(":")))
    with Container(work, own, mounts(work, data)) as container:
        until(lambda: all(f.get("state") != "loading" for f in container.get("/v1/functions")["functions"]), "loading")
        lines = container.map("text.words", ["to be", "or not to be"])
        expect([line.get("value") for line in lines] == [2, 4], "Python in an image of one's own:", lines)
        container.stop()


def inside(source, cache):
    """In namespaces of our own: all of it."""
    os.makedirs(cache, exist_ok=True)
    os.chmod(cache, 0o700)  # a Debian's set-user-id programs are in there
    work = tmpfs(os.path.join(cache, "work"))
    write(TOKEN + "\n", work, "token")
    start = time.monotonic()
    apt = image_build.copy_apt(work)
    base = image_build.Image([image_build.the_base(os.path.join(cache, "base"), work, apt)])
    print("%6.1f s %7.1f MB  %s" % (time.monotonic() - start, megabytes(base.layers[0]), BASE), flush=True)
    builder = image_build.Builder(work, apt, {BASE: base})
    text = read(source, "Dockerfile")
    image = builder.build(text, image_build.context_without_ignored(source, work + "/context"))
    check_libraries(work, image)
    check_size(source, image, base)
    check_command(source, image)
    own = derived(work, image, builder, text)
    loopback_only()
    check_life(work, image)
    check_derived(work, own)
    print("image: ok, %.0f s" % (time.monotonic() - start))


if __name__ == "__main__":
    namespaces(inside, 2, __doc__, ["debootstrap"])
