"""calc: functions for client_test.py, which it calls here and in poold."""
import os
import time


def square(x):
    return x * x


def add(a, b=0):
    return a + b


def named(a, b, *, c=3):
    return [a, b, c]


def hypotenuse(point):
    return (point["x"] ** 2 + point["y"] ** 2) ** 0.5


def reciprocal(x):
    return 1 / x


def lookup(key):
    return {"a": 1}[key]


class Refusal(Exception):
    pass


def refuse(x):
    raise Refusal("never %r" % x)


def stop(x):
    raise StopIteration(x)


def later(seconds):
    time.sleep(seconds)
    return seconds


def held(x):
    """Waits for a file, if one is named."""
    path, value = x
    while path and not os.path.exists(path):
        time.sleep(0.02)
    return value


def marked(x):
    """Leaves one line for each time that it ran."""
    path, number = x
    with open(path, "a", encoding="utf-8") as file:
        file.write("%d\n" % number)
    time.sleep(0.003)
    return number


def die(x):
    os.abort()


def traced(_):
    import poold
    return poold.traceparent()
