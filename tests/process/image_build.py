"""image_build: the Dockerfile's own steps, carried out without a container engine.

A base is unpacked by debootstrap and made as slim as Debian's own slim image; each RUN, COPY and WORKDIR then makes a
layer, with overlayfs, as an engine would. Whatever this does not know of Dockerfiles is Wrong: nothing is passed over.

Needs root in a mount namespace of its own (image_test.py sees to it). Everything is below `work`, a tmpfs.
"""
import contextlib
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

from functions_kit import Wrong

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what engines give
BASE = "debian:12-slim"
CODENAME = "bookworm"
# What Debian's slim images leave out, now and in whatever is installed later; dpkg need not wait for the disk.
SLIM = ["doc", "info", "linda", "lintian", "locale", "man"]
DPKG = "force-unsafe-io\n" + "".join("path-exclude /usr/share/%s/*\n" % name for name in SLIM) + \
    "path-include /usr/share/doc/*/copyright\n"
APT = """Acquire::Languages "none";
Acquire::Retries "3";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
"""


class CannotTell(Exception):
    """This machine cannot do it: the test is skipped."""


def run(*argv, **options):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **options)
    if done.returncode != 0:
        raise Wrong("%s: exit status %d\n%s" % (" ".join(argv)[:200], done.returncode, done.stdout[-3000:]))
    return done.stdout


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def megabytes(folder):
    """What the files in it take: their bytes, a hard link once, in MB as engines count."""
    total, seen = 0, set()
    for parent, folders, files in os.walk(folder):
        for name in files + folders:
            found = os.lstat(os.path.join(parent, name))
            if (found.st_dev, found.st_ino) not in seen and not os.path.isdir(os.path.join(parent, name)):
                total += found.st_size
            seen.add((found.st_dev, found.st_ino))
    return total / 1e6


def packed_megabytes(folder):
    size = subprocess.run("tar -C %s -c . | gzip -c | wc -c" % shlex.quote(folder), shell=True, check=True,
                          stdout=subprocess.PIPE).stdout
    return int(size) / 1e6


# ---- the base ----

def own_codename():
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release"), re.M))
    if release.get("ID") != "debian" or not release.get("VERSION_CODENAME"):
        raise CannotTell("this is not Debian: it has no mirror of %s" % CODENAME)
    return release["VERSION_CODENAME"]


def copy_apt(work):
    """This machine's own ways to packages, as a folder to be mounted over an image's /etc/apt while it is built."""
    folder = os.path.join(work, "apt")
    shutil.copytree("/etc/apt", folder)
    for name in glob.glob(folder + "/sources.list*/*") + glob.glob(folder + "/sources.list"):
        if os.path.isfile(name):
            write(re.sub(r"\b%s\b" % own_codename(), CODENAME, read(name)), name)
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    if os.path.exists(certificates):  # minbase has none; a mirror may be behind TLS
        shutil.copy(certificates, folder)
    write(APT + ('Acquire::https::CaInfo "/etc/apt/ca-certificates.crt";\n' if os.path.exists(certificates) else ""),
          folder, "apt.conf.d", "zz-image")
    run("chmod", "-R", "a+rX", folder)  # apt reads as a user of its own
    return folder


def mirror(apt):
    """Of debootstrap: the first that has the codename itself."""
    for name in sorted(glob.glob(apt + "/sources.list") + glob.glob(apt + "/sources.list.d/*")):
        if name.endswith(".sources"):
            for entry in re.split(r"\n\s*\n", read(name)):
                fields = dict(re.findall(r"^([\w-]+):\s*(.*)$", entry, re.M))
                if CODENAME in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
                    return fields["URIs"].split()[0]
        elif name.endswith(".list"):
            found = re.search(r"^deb\s+(?:\[.*?\]\s*)?(\S+)\s+%s\s+.*\bmain\b" % CODENAME, read(name), re.M)
            if found:
                return found.group(1)
    raise CannotTell("no mirror of %s in /etc/apt" % CODENAME)


def proxy():
    """What apt was told, for those who ask the environment; that itself comes first."""
    told = run("apt-config", "shell", "http_proxy", "Acquire::http::Proxy", "https_proxy", "Acquire::https::Proxy")
    return {**dict(re.findall(r"^(\w+)='(.*)'$", told, re.M)),
            **{name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}}


def debootstrap(to, apt):
    done = subprocess.run(["debootstrap", "--variant=minbase", CODENAME, to, mirror(apt)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, **proxy()})
    if done.returncode != 0:
        raise CannotTell("debootstrap failed: " + " / ".join(done.stdout.strip().split("\n")[-3:]))


def make_slim(base):
    write(DPKG, base, "etc/dpkg/dpkg.cfg.d/docker")
    for name in SLIM:
        for parent, _, files in os.walk(os.path.join(base, "usr/share", name), topdown=False):
            for file in files:
                if not (name == "doc" and file == "copyright"):
                    os.unlink(os.path.join(parent, file))
            with contextlib.suppress(OSError):  # not empty
                os.rmdir(parent)
    for pattern in ("var/cache/apt/archives/*.deb", "var/cache/apt/*.bin", "var/lib/apt/lists/*", "var/log/*.log",
                    "etc/hostname"):
        for name in glob.glob(os.path.join(base, pattern)):
            shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)
    write("", base, "etc/resolv.conf")


def the_base(cache, work, apt):
    """The base, unpacked. In `cache` from an earlier run, if that is not too old; else it is kept there."""
    if not (os.path.isdir(cache) and time.time() - os.stat(cache).st_mtime < 7 * 86400):
        fresh = os.path.join(work, "base")
        debootstrap(fresh, apt)
        make_slim(fresh)
        for name in [cache, *glob.glob(cache + ".*")]:  # halves, of runs that were killed
            shutil.rmtree(name, ignore_errors=True)
        half = "%s.%d" % (cache, os.getpid())
        run("cp", "-a", fresh, half)
        shutil.rmtree(fresh)
        os.utime(half)
        os.rename(half, cache)
    return cache


# ---- overlays and boxes ----

@contextlib.contextmanager
def mounted(layers, upper):
    """The layers (lowest first) with `upper` over them; the folder where that is seen."""
    seen, scratch = upper + ".root", upper + ".work"
    for folder in (seen, scratch, upper):
        os.makedirs(folder, exist_ok=True)
    options = "lowerdir=%s,upperdir=%s,workdir=%s" % (":".join(reversed(layers)), upper, scratch)
    run("mount", "-t", "overlay", "overlay", "-o", options, seen)
    try:
        yield seen
    finally:
        run("umount", seen)
        shutil.rmtree(scratch)
        os.rmdir(seen)


def box(**spec):
    """A command line that runs spec["argv"] in namespaces of its own, as image_box.py describes."""
    return ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", sys.executable,
            os.path.join(HERE, "image_box.py"), json.dumps(spec)]


# ---- the Dockerfile ----

class Image:
    """Layers, lowest first, what each instruction added, and what an engine is told of how to start it."""

    def __init__(self, layers):
        self.layers = list(layers)
        self.history = []  # (instruction, MB)
        self.environment = {"PATH": PATH}
        self.directory = "/"
        self.user = "0:0"
        self.volumes, self.ports = [], []
        self.healthcheck = None  # (argv, {"interval": seconds, ...})
        self.stop_signal = "SIGTERM"
        self.entrypoint = []

    def child(self):
        image = Image(self.layers)
        vars(image).update({name: value.copy() if hasattr(value, "copy") else value
                            for name, value in vars(self).items() if name != "history"})
        return image


def instructions(text):
    """(name, arguments) of each, continued lines as one."""
    whole = ""
    for line in text.split("\n"):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if line.endswith("\\"):
            whole += line[:-1] + " "
            continue
        name, _, rest = (whole + line).strip().partition(" ")
        whole = ""
        yield name, rest.strip()
    if whole:
        raise Wrong("the last instruction does not end: " + whole)


def no_variables(text):
    if "$" in text:
        raise Wrong("a variable, which is not known here: " + text)
    return text


def listed(text):
    """A JSON list of words, which is all we use where a shell would be in between."""
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        raise Wrong("no list of words: " + text)
    return words


def flags(text, known):
    """({"from": "build"}, the rest)"""
    found = {}
    while text.startswith("--"):
        flag, _, text = text.partition(" ")
        name, _, value = flag[2:].partition("=")
        if name not in known or not value:
            raise Wrong("a flag that is not known here: " + flag)
        found[name], text = value, text.strip()
    return found, text


def ignored(patterns, path):
    """By .dockerignore: the last pattern that is true of it or of a folder that it is in."""
    verdict = False
    for pattern in patterns:
        said = not pattern.startswith("!")
        expression = re.compile("[^/]*".join(re.escape(part) for part in pattern.lstrip("!").strip("/").split("*")))
        parts = path.split("/")
        if any(expression.fullmatch("/".join(parts[:n])) for n in range(1, len(parts) + 1)):
            verdict = said
    return verdict


def context_without_ignored(source, to):
    patterns = [line for line in read(source, ".dockerignore").split("\n") if line and not line.startswith("#")]
    if any(re.search(r"[?\[\\]|\*\*", pattern) for pattern in patterns):
        raise Wrong(".dockerignore has a pattern that is not known here")
    tops = {pattern.lstrip("!").strip("/").split("/")[0] for pattern in patterns if pattern.startswith("!")}
    for top in sorted(tops if "*" in patterns else os.listdir(source)):
        whole = os.path.join(source, top)
        for parent, _, files in os.walk(whole) if os.path.isdir(whole) else [(source, [], [top])]:
            for name in files:
                path = os.path.relpath(os.path.join(parent, name), source)
                if not ignored(patterns, path):
                    os.makedirs(os.path.dirname(os.path.join(to, path)), exist_ok=True)
                    shutil.copy2(os.path.join(source, path), os.path.join(to, path), follow_symlinks=False)
    return to


class Builder:
    """`images` are those that FROM may name."""

    def __init__(self, work, apt, images):
        self.work, self.apt = work, apt
        self.images = dict(images)
        self.numbers = iter(range(1000))
        self.image = None
        self.context = None

    def build(self, text, context):
        """The image of the last stage. `context`: what COPY reads, already without what is ignored."""
        self.context, self.image = context, None
        for name, rest in instructions(text):
            step = getattr(self, "do_" + name.lower(), None)
            if step is None or not name.isupper():
                raise Wrong("an instruction that is not known here: " + name)
            if self.image is None and name != "FROM":
                raise Wrong(name + " before FROM")
            step(rest)
        return self.image

    @contextlib.contextmanager
    def layer(self, instruction):
        upper = os.path.join(self.work, "layer-%d" % next(self.numbers))
        start = time.monotonic()
        with mounted(self.image.layers, upper) as root:
            yield root
        self.image.layers.append(upper)
        self.image.history.append((instruction, megabytes(upper)))
        print("%6.1f s %7.1f MB  %s" % (time.monotonic() - start, self.image.history[-1][1], instruction[:90]),
              flush=True)

    def do_from(self, rest):
        words = no_variables(rest).split()
        if words[0] not in self.images or len(words) not in (1, 3) or words[1:2] not in ([], ["AS"]):
            raise Wrong("FROM that is not known here: " + rest)
        self.image = self.images[words[0]].child()
        if len(words) == 3:
            self.images[words[2]] = self.image

    def do_run(self, rest):
        if rest.startswith("--") or "<<" in rest:
            raise Wrong("a RUN that is not known here: " + rest)
        argv = listed(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]
        with self.layer("RUN " + rest) as root:
            binds = [[self.apt, "/etc/apt", "ro"], ["/etc/resolv.conf", "/etc/resolv.conf", "ro"]]
            run(*box(root=root, binds=binds, user=self.image.user, directory=self.image.directory, argv=argv,
                     environment={**self.image.environment, **proxy()}))

    def do_copy(self, rest):
        known, names = flags(no_variables(rest), {"from"})
        *sources, target = names.split()
        if len(sources) > 1 and not target.endswith("/"):
            raise Wrong("COPY of several into " + target)
        with contextlib.ExitStack() as stack:
            origin = self.context
            if "from" in known:
                nothing = os.path.join(self.work, "view-%d" % next(self.numbers))
                origin = stack.enter_context(mounted(self.images[known["from"]].layers, nothing))
            root = stack.enter_context(self.layer("COPY " + rest))
            to = os.path.join(root, os.path.join(self.image.directory, target).lstrip("/"))
            for source in sources:
                self.copy(os.path.join(origin, source.lstrip("/")), to)

    @staticmethod
    def copy(source, to):
        """A folder's content, or a file; as root's, whoever it belonged to."""
        if os.path.isdir(source):
            shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True)
            return
        if not os.path.isfile(source):
            raise Wrong("COPY of what is not there: " + source)
        if to.endswith(("/", "/.")):
            os.makedirs(to, exist_ok=True)
            to = os.path.join(to, os.path.basename(source))
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(source, to)

    def do_workdir(self, rest):
        self.image.directory = os.path.join(self.image.directory, no_variables(rest))
        with self.layer("WORKDIR " + rest) as root:
            os.makedirs(root + self.image.directory, exist_ok=True)

    def do_env(self, rest):
        pairs = [word.partition("=") for word in shlex.split(no_variables(rest))]
        if not all(equals for _, equals, _ in pairs):
            raise Wrong("an ENV that is not known here: " + rest)
        self.image.environment.update({name: value for name, _, value in pairs})

    def do_user(self, rest):
        self.image.user = no_variables(rest)

    def do_volume(self, rest):
        self.image.volumes += no_variables(rest).split()

    def do_expose(self, rest):
        self.image.ports += [int(port) for port in rest.split()]

    def do_healthcheck(self, rest):
        known, command = flags(rest, {"interval", "timeout", "start-period", "retries"})
        if not command.startswith("CMD "):
            raise Wrong("a HEALTHCHECK that is not known here: " + rest)
        self.image.healthcheck = (listed(command[4:]), {n: float(v.removesuffix("s")) for n, v in known.items()})

    def do_stopsignal(self, rest):
        self.image.stop_signal = no_variables(rest)

    def do_entrypoint(self, rest):
        self.image.entrypoint = listed(rest)
