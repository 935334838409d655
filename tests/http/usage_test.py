"""What /v1/workers says of a worker whose function is another process: it is that process's work, not the worker's."""
import argparse
import json
import os
import sys
import tempfile
import time

from access_kit import Service, check, failures

HELD = 64 << 20
BURNS = "held = b'x' * %d\nwhile True: pass" % HELD


def write_functions(folder):
    for name, command in {"burns": ["python3", "-c", BURNS], "rests": ["sleep", "600"]}.items():
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"command": command}, file)


def worker_of(client, job, wanted):
    """The worker that runs the job's item, once it is as wanted; else as it was last."""
    worker = None
    for _ in range(1000):
        workers = client.get("/v1/workers").json()["workers"]
        worker = next((one for one in workers if one["job"] == job), worker)
        if worker and wanted(worker):
            break
        time.sleep(0.01)
    return worker


def run(client, function, wanted):
    job = client.post("/v1/jobs", {"function": function, "apply": None}).json()["id"]
    worker = worker_of(client, job, wanted)
    client.post("/v1/jobs/%s/cancel" % job)
    client.get("/v1/jobs/%s?wait=30" % job)
    return worker


def is_busy(worker):
    return worker["state"] == "running" and worker["cpu_seconds"] > 0.3 and worker["rss_bytes"] > HELD


def is_idle(worker):
    return worker["state"] == "waiting" and worker["rss_bytes"] < HELD


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--poold", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="poold-usage-") as folder:
        write_functions(folder)
        with Service(options.poold, None, "--functions", folder) as service:
            busy, idle = run(service.client(), "burns", is_busy), run(service.client(), "rests", is_idle)
            check(busy and is_busy(busy), "a command that computes", busy)
            check(idle and is_idle(idle), "a command that sleeps", idle)
            service.stop()
    print("%d failed" % len(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
