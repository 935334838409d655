"""slow: takes its time to load."""
import time

time.sleep(1.5)


def double(x):
    return 2 * x
