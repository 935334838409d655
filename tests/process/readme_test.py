#!/usr/bin/env python3
"""The documents tell the truth: their `console` blocks are run against a real poold and their output compared.

A line `$ COMMAND` (goes on in lines that begin with `> `) is run by bash; all commands of all blocks share one shell,
in order, so that later ones can use ID. Below it stands what it prints. In that, `…` stands for anything within a line,
and a line of nothing but `…` for any number of lines. localhost:8080 is replaced by the instance under test, and
localhost:8081 by a free port for one that the commands start themselves. Commands that write into functions/ are run
before it starts, too: it serves what they have written.

    tests/process/readme_test.py README.md build/bin/poold      exit status 0 if all is true
    tests/process/readme_test.py README.md --update build/bin/poold   writes the real output into the README

poold's programs are in PATH. Of several documents each has a poold of its own. configuration.md must also list all
options, troubleshooting.md all types of failures and problems. Blocks of another kind that look like commands (`sh`) are
for the README only, whose programs other tests run.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 60
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)
MARK = "\x1e"


def parse(block):
    """The commands of a block, each with the lines that it must print."""
    commands = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append([line[2:], []])
        elif line.startswith("> ") and not commands[-1][1]:
            commands[-1][0] += "\n" + line[2:]
        else:
            commands[-1][1].append(line)
    return commands


def pattern(lines):
    """A regular expression for the expected lines."""
    text = ""
    for line in lines:
        text += "(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + "\n"
    return re.compile(text)


class Poold:
    """A real poold on a free port, in a folder of its own."""

    def __init__(self, binary, commands):
        self.dir = tempfile.mkdtemp(prefix="poold-readme-")
        os.mkdir(self.dir + "/functions")
        for command, _ in commands:
            if command.startswith("cat > functions/"):
                subprocess.run(["bash", "-c", command], cwd=self.dir, check=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("POOLD_")}
        with open(self.dir + "/log", "wb") as log:
            self.process = subprocess.Popen(
                [binary, "--listen", "127.0.0.1:0", "--data", self.dir + "/data", "--processes", "4",
                 "--functions", self.dir + "/functions"],
                stderr=log, env=environment)
        self.address = self.wait_address()

    def wait_address(self):
        for _ in range(300):
            found = re.search(r"listening on http://(\S+)", self.log())
            if found:
                return found.group(1)
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        sys.exit("poold did not start")

    def log(self):
        with open(self.dir + "/log", encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def free_port():
    """A socket that keeps a port for who will listen there, as poold reuses addresses."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder, "127.0.0.1:%d" % holder.getsockname()[1]


def run(commands, poold, binary):
    """What each command prints, in one shell; an output misses when the shell did not get so far."""
    holder, other = free_port()
    script = "cd '%s'\n" % poold.dir
    for command, _ in commands:
        command = command.replace("localhost:8080", poold.address).replace("localhost:8081", other)
        script += "{ %s\n} 2>&1; printf '%s'\n" % (command, MARK)
    environment = dict(os.environ, PATH=os.path.dirname(os.path.abspath(binary)) + ":" + os.environ["PATH"])
    shell = subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, start_new_session=True, env=environment)
    try:
        output, _ = shell.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        output, _ = shell.communicate()
    holder.close()
    text = output.decode("utf-8", "replace").replace(poold.address, "localhost:8080").replace(other, "localhost:8081")
    return text.split(MARK)[:-1]


def update(readme, commands, outputs):
    """Replaces what the README shows by what came, block by block."""
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    rest = iter(zip(commands, outputs))

    def fresh(match):
        lines = ""
        for command, _ in parse(match.group(1)):
            lines += "$ " + command.replace("\n", "\n> ") + "\n" + next(rest)[1]
        return "```console\n" + lines + "```"

    with open(readme, "w", encoding="utf-8") as file:
        file.write(BLOCK.sub(fresh, text))


def compare(commands, outputs):
    """The number of commands whose output is not what the document says."""
    wrong = 0
    for i, (command, lines) in enumerate(commands):
        got = outputs[i] if i < len(outputs) else "(did not end within %d s)\n" % PATIENCE_S
        if not pattern(lines).fullmatch(got if not got or got.endswith("\n") else got + "\n"):
            wrong += 1
            print("WRONG: $ %s\nthe document says:\n%s\nit printed:\n%s" % (command, "\n".join(lines), got))
    return wrong


def compare_options(text, binary):
    """The number of options that `poold --help` has and the document's tables have not, or with another default."""
    wrong = 0
    help_text = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True).stdout
    for name, default in re.findall(r"^  (--[a-z-]+).*?; default: (.*?)\]$", help_text, re.M | re.S):
        default = "–" if default == "none" else "`%s`" % default
        if not re.search(r"^\| `%s[ `][^|]*\| %s \|" % (name, re.escape(default)), text, re.M):
            wrong += 1
            print("WRONG: the tables lack %s with its default %s" % (name, default))
    return wrong


def compare_types(text, document):
    """The number of types of failures and problems that the guide does not speak of."""
    root = os.path.join(os.path.dirname(os.path.abspath(document)), "..")
    with open(os.path.join(root, "schema", "problems.md"), encoding="utf-8") as file:
        wanted = ["`%s`" % name for name in re.findall(r"^\| `([a-z-]+)` \| \d+ \|", file.read(), re.M)]
    with open(os.path.join(root, "openapi.yaml"), encoding="utf-8") as file:
        kinds = re.search(r"^    ErrorType:\n.*?enum: \[(.*?)\]", file.read(), re.M | re.S).group(1)
    wanted += ["\n**%s**: " % name for name in kinds.split(", ")]
    missing = [name.strip() for name in wanted if name not in text]
    if missing or len(wanted) < 40:
        print("WRONG: nothing is said of", " ".join(missing))
    return len(missing)


def judge(document, binary):
    """The number of things that the document says and that are not so; with --update it is made to say them."""
    with open(document, encoding="utf-8") as file:
        text = file.read()
    commands = [command for block in BLOCK.findall(text) for command in parse(block)]
    if not commands:
        sys.exit("%s has no console blocks" % document)
    poold = Poold(binary, commands)
    try:
        outputs = run(commands, poold, binary)
        if "--update" in sys.argv:
            update(document, commands, outputs)
            return 0
        wrong = compare(commands, outputs)
        if os.path.basename(document) == "configuration.md":
            wrong += compare_options(text, binary)
        if os.path.basename(document) == "troubleshooting.md":
            wrong += compare_types(text, document)
        if re.search(r"^```(sh|bash|shell)$", text, re.M) and os.path.dirname(document).endswith("docs"):
            wrong += 1
            print("WRONG: commands that nobody runs: %s has a block of another kind than console" % document)
        if wrong:
            print("poold's log:\n" + poold.log()[-4000:])
    finally:
        poold.stop()
    print("%s: %d commands, %d wrong" % (os.path.basename(document), len(commands), wrong))
    return wrong


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    if len(arguments) < 2:
        sys.exit(__doc__)
    wrong = sum(judge(document, arguments[-1]) for document in arguments[:-1])
    sys.exit(wrong > 0)


main()
