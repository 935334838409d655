"""The peer: multiprocessing.Pool(4), answering measurements on stdin with one JSON line each.

A line is the name of a work and its size: "map 100000", "imap64 100000", "imap1 100000", "objects64 100000",
"apply 2000", "threads 250 16", "pss". The pool is warm and idle while poold is measured.
"""
import json
import multiprocessing
import sys
import threading
import time


def square(x):
    return x * x


def echo(x):
    return x


def make_objects(n):
    return [{"id": i, "name": "item %06d" % (i % 1000000), "tags": ["a", "b"], "score": i % 100 + 0.5, "active": True}
            for i in range(n)]


def timed(call, expected):
    start = time.perf_counter()
    got = call()
    seconds = time.perf_counter() - start
    if got != expected:
        raise SystemExit("pool_bench: wrong results")
    return {"seconds": seconds, "per_second": len(expected) / seconds}


def unordered(pool, function, items, chunksize, key):
    # Sorting is the check's business, so it is not timed.
    start = time.perf_counter()
    got = list(pool.imap_unordered(function, items, chunksize))
    seconds = time.perf_counter() - start
    if sorted(got, key=key) != [function(x) for x in items]:
        raise SystemExit("pool_bench: wrong results")
    return {"seconds": seconds, "per_second": len(items) / seconds}


def apply_each(pool, n, seconds):
    for i in range(n):
        start = time.perf_counter()
        value = pool.apply(square, (i,))
        seconds.append(time.perf_counter() - start)
        if value != i * i:
            raise SystemExit("pool_bench: wrong result")


def threads(pool, n, count):
    seconds = []
    all_of_them = [threading.Thread(target=apply_each, args=(pool, n, seconds)) for _ in range(count)]
    start = time.perf_counter()
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join()
    total = time.perf_counter() - start
    seconds.sort()
    return {"seconds": total, "per_second": len(seconds) / total, "p50": seconds[len(seconds) // 2],
            "p99": seconds[len(seconds) * 99 // 100]}


def measure(pool, work, n, count):
    numbers = list(range(n))
    if work == "map":
        return timed(lambda: pool.map(square, numbers), [x * x for x in numbers])
    if work in ("imap64", "imap1"):
        return unordered(pool, square, numbers, int(work[4:]), None)
    if work == "objects64":
        return unordered(pool, echo, make_objects(n), 64, lambda o: o["id"])
    if work == "apply":
        return threads(pool, n, 1)
    if work == "threads":
        return threads(pool, n, count)
    raise SystemExit("pool_bench: unknown work " + work)


def main():
    with multiprocessing.Pool(4) as pool:
        pool.map(square, range(1000))
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            work, *sizes = line.split()
            sizes = [int(x) for x in sizes] + [0, 0]
            print(json.dumps(measure(pool, work, sizes[0], sizes[1])), flush=True)


if __name__ == "__main__":
    main()
