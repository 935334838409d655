"""shared: the examples of Python's multiprocessing documentation, with objects that tasks of any language share."""
import time

import poold


def consume(name, seconds=0):
    "The sum of what comes over a queue until null; for each number it takes some seconds."
    queue, total, most = poold.Queue(name), 0, 0
    while True:
        most = max(most, queue.qsize())
        number = queue.get()
        if number is None:
            return {"sum": total, "most": most}
        total += number
        time.sleep(seconds)


def sender(name):
    "Sends two things over a pipe."
    receiving, sending = poold.Pipe(name, duplex=False)
    with sending:
        sending.send([42, None, "hello"])
        sending.send({"end": "near"})


def receiver(name):
    "What comes over a pipe until its other end is closed."
    receiving, sending = poold.Pipe(name, duplex=False)
    received = []
    while True:
        try:
            received.append(receiving.recv())
        except EOFError:
            receiving.close()  # with both ends closed the name is free for the next pipe
            return received


def write(number):
    "Writes key_NUMBER into the dict `shared`."
    poold.Manager().dict("shared")[f"key_{number}"] = number * number


def change(number):
    "Adds 1 to the value `num`, and doubles the array `arr` where it lies."
    num, arr = poold.Value("i", "num"), poold.Array("d", "arr")
    with num.get_lock():
        num.value += 1
    memory = arr.memory()  # numpy.frombuffer(memory) would do, too
    with arr.get_lock():
        for i in range(len(memory)):
            memory[i] *= 2


def printer(number):
    "Prints a line in two halves onto the list `paper`, alone."
    paper = poold.Manager().list("paper")
    with poold.Lock("printer"):
        paper.append(f"hello {number}")
        time.sleep(0.01)
        paper.append(f"world {number}")


def torn(name):
    "How many lines on a list are not followed by their other half."
    lines = list(poold.Manager().list(name))
    return sum(a.replace("hello", "world") != b for a, b in zip(lines[::2], lines[1::2]))
