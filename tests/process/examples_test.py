#!/usr/bin/env python3
"""deploy/examples: one poold serves them all, every command of their READMEs is run and must print what stands there.

A `console` block is as in readme_test.py: `$ COMMAND` (goes on in lines that begin with `> `), below it what it prints;
`…` stands for anything within a line. An example's commands run in a copy of its folder. What READMEs cannot say is in
CHECKS.

    tests/process/examples_test.py build/bin/poold             exit status 0 if all is true
    tests/process/examples_test.py --update build/bin/poold    writes the real output into the READMEs
"""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.realpath(__file__))
EXAMPLES = os.path.join(HERE, "../../deploy/examples")
PATIENCE_S = 120
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
MARK = "\x1e"


class Poold:
    """A real poold with the functions of some folders."""

    def __init__(self, binary, folders, temporary):
        self.log_name = temporary + "/log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("POOLD_")}
        # The python3 that runs this test, also where the one in PATH is a wrapper that wants HOME.
        environment["PATH"] = os.path.dirname(os.path.realpath(sys.executable)) + ":" + environment["PATH"]
        arguments = [argument for folder in folders for argument in ("--functions", folder)]
        with open(self.log_name, "wb") as log:
            self.process = subprocess.Popen([binary, "--listen", "127.0.0.1:0", "--data", temporary + "/data",
                                             "--processes", "2", *arguments], stderr=log, env=environment)
        self.address = self.wait("an address", self.find_address)

    def log(self):
        with open(self.log_name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def find_address(self):
        if self.process.poll() is not None:
            sys.exit("poold did not start:\n" + self.log())
        found = re.search(r"listening on http://(\S+)", self.log())
        return found and found.group(1)

    def wait(self, what, ask):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            answer = ask()
            if answer:
                return answer
            time.sleep(0.05)
        sys.exit("no %s within %d s; poold's log:\n%s" % (what, PATIENCE_S, self.log()))

    def functions(self):
        """Those that are known by now, or None while one is still being started."""
        with urllib.request.urlopen("http://%s/v1/functions" % self.address, timeout=PATIENCE_S) as answer:
            listed = json.load(answer)["functions"]
        if any(f.get("state") == "starting" for f in listed):
            return None
        return {f["name"]: f for f in listed}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def commands_of(text):
    """[command, lines that it prints] of all blocks."""
    commands = []
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append([line[2:], []])
            elif line.startswith("> ") and not commands[-1][1]:
                commands[-1][0] += "\n" + line[2:]
            else:
                commands[-1][1].append(line)
    return commands


def run(commands, folder, address):
    """What each command prints, in one shell."""
    script = "".join("{ %s\n} 2>&1; printf '%s'\n" % (command.replace("localhost:8080", address), MARK)
                     for command, _ in commands)
    shell = subprocess.Popen(["bash", "-c", script], cwd=folder, stdout=subprocess.PIPE, start_new_session=True)
    try:
        output, _ = shell.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        output, _ = shell.communicate()
    outputs = output.decode("utf-8", "replace").replace(address, "localhost:8080").split(MARK)[:-1]
    outputs += ["(did not end)\n"] * (len(commands) - len(outputs))
    return [o if not o or o.endswith("\n") else o + "\n" for o in outputs]


def is_as_written(lines, got):
    text = "".join(".*?".join(map(re.escape, line.split("…"))) + "\n" for line in lines)
    return re.fullmatch(text, got) is not None


def update(readme, text, commands, outputs):
    rest = iter(zip(commands, outputs))

    def fresh(match):
        lines = ""
        for _ in commands_of(match.group(0)):
            (command, old), new = next(rest)
            lines += "$ " + command.replace("\n", "\n> ") + "\n"
            lines += "".join(line + "\n" for line in old) if old and is_as_written(old, new) else new
        return "```console\n" + lines + "```"

    with open(readme, "w", encoding="utf-8") as file:
        file.write(BLOCK.sub(fresh, text))


def try_example(name, poold, temporary):
    """The number of things that are wrong."""
    readme = os.path.join(EXAMPLES, name, "README.md")
    folder = os.path.join(temporary, name)
    shutil.copytree(os.path.dirname(readme), folder)
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    commands = commands_of(text)
    outputs = run(commands, folder, poold.address)
    if "--update" in sys.argv:
        update(readme, text, commands, outputs)
        return 0
    wrong = 0
    for (command, lines), got in zip(commands, outputs):
        if not is_as_written(lines, got):
            wrong += 1
            print("WRONG: %s: $ %s\nthe README says:\n%s\nit printed:\n%s" % (name, command, "\n".join(lines), got))
    if not any("curl" in command for command, _ in commands):
        wrong += 1
        print("WRONG: %s: its README calls nothing" % name)
    if name in CHECKS and not wrong:
        wrong += not CHECKS[name](folder)
    print("%s: %d commands, %d wrong" % (name, len(commands), wrong))
    return wrong


def is_thumbnail(folder):
    with open(folder + "/small.png", "rb") as file:
        head = file.read(24)
    size = struct.unpack(">II", head[16:24])
    good = head.startswith(b"\x89PNG\r\n") and size == (160, 120)
    return good or print("WRONG: small.png is no PNG of 160 x 120: %r" % head)


CHECKS = {"thumbnails": is_thumbnail}
EXPECTED = {"thumbnail": "exec", "wordcount": "exec", "pdftext": "exec", "spam.classify": "runtime",
            "table.records": "runtime", "table.columns": "runtime", "shared.consume": "runtime", "feed": "runtime",
            "tally": "exec", "spelling.nearest": "plugin"}


def check_list(listed):
    """Everything is there, of its kind, told of in a line, and nothing has a problem."""
    wrong = 0
    for name, kind in EXPECTED.items():
        function = listed.get(name, {})
        if function.get("kind") != kind or not function.get("summary") or function.get("problem"):
            wrong += 1
            print("WRONG: GET /v1/functions has of %s: %r" % (name, function))
    return wrong


def main():
    binaries = [a for a in sys.argv[1:] if a != "--update"]
    if len(binaries) != 1:
        sys.exit(__doc__)
    names = sorted(entry.name for entry in os.scandir(EXAMPLES) if entry.is_dir())
    # The plugin is built, with its manifest beside it, into bin/plugins.
    folders = [os.path.join(EXAMPLES, name) for name in names if name != "plugin"]
    folders.append(os.path.join(os.path.dirname(os.path.realpath(binaries[0])), "plugins"))
    temporary = tempfile.mkdtemp(prefix="poold-examples-")
    try:
        poold = Poold(binaries[0], folders, temporary)
        try:
            wrong = check_list(poold.wait("functions", poold.functions))
            wrong += sum(try_example(name, poold, temporary) for name in names)
            if wrong:
                print("poold's log:\n" + poold.log()[-4000:])
        finally:
            poold.stop()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sys.exit(wrong > 0)


main()
