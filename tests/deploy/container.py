"""Runs the Dockerfile without a container engine.

The lines of its build stages, COPY by COPY and RUN by RUN, in a folder that holds nothing else; then the programs they made,
from a read-only root that holds only what the last stages copy and what of their base a program of C needs: no shell, no user but
65532, no capability, a network of its own. The compiler and the C library are this machine's, not those of the images that the
Dockerfile names; whether these can be fetched is not shown here.

    container.py [dev|release]      what `ARG PROFILE` says; compiled dependencies are kept in target/container from run to run
"""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import dockerfile

ROOT = Path(__file__).resolve().parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"
# What a program finds in the base besides itself: distroless/cc's C library and the compiler's.
BASE_LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1"}
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
USER = 65532


def fail(message):
    raise SystemExit(f"container: {message}")


def say(message):
    print(f"container: {message}", flush=True)


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, **more)


# The build stages

class Build:
    """The folder that stands for a build stage, and the namespace in which it lies at its place."""

    def __init__(self, at, profile):
        self.at, self.profile = at, profile
        self.stages = dockerfile.read(ROOT / "Dockerfile", {"PROFILE": profile, "REVISION": REVISION, "VERSION": "0"})

    def prepare(self):
        """Nothing of an earlier run is left but what cargo has compiled."""
        self.at.mkdir(parents=True, exist_ok=True)
        for path in self.at.iterdir():
            if path.name not in ("target", "tools"):
                remove(path)
        if not (self.at / "target").exists() and self.profile == "dev":
            self.borrow()

    def borrow(self):
        """Dependencies that this machine has compiled for the same profile; cargo looks whether they fit."""
        own = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
        into = self.at / "target" / "debug"
        if not (own / "deps").exists():
            return
        into.mkdir(parents=True)
        members = ("mlfence", "armsim", "libmlfence", "libarmsim")
        tests = tuple(path.stem for path in ROOT.glob("tests/*.rs")) + tuple(path.stem for path in ROOT.glob("tests/armsim/tests/*.rs"))
        for name in (".fingerprint", "build", "deps"):
            leave = lambda _, names: [one for one in names if one.startswith(members) or one.rsplit("-", 1)[0] in tests]
            shutil.copytree(own / name, into / name, ignore=leave, symlinks=True)

    def run(self, wanted):
        """Runs these stages; called inside the namespace."""
        for name in wanted:
            stage = self.stages[name]
            place = None
            for word, arguments in self.inherited(stage):
                place = self.enter(arguments) if word == "WORKDIR" else place
            for word, arguments in stage.instructions:
                if word == "WORKDIR":
                    place = self.enter(arguments)
                elif word == "COPY":
                    self.copy(arguments)
                elif word == "RUN":
                    self.command(arguments)
                else:
                    fail(f"{word} in stage {name} is not understood here")

    def inherited(self, stage):
        while stage.base in self.stages:
            stage = self.stages[stage.base]
            yield from stage.instructions

    def enter(self, path):
        """The folder, at the path that the Dockerfile gives it."""
        path = Path(path)
        if not path.exists():
            exists = next(parent for parent in path.parents if parent.exists())
            if exists == Path("/"):
                fail(f"WORKDIR {path}: its first folder does not exist on this machine")
            run("mount", "-t", "tmpfs", "none", exists)
            path.mkdir(parents=True)
            run("mount", "--bind", self.at, path)
        os.chdir(path)
        return path

    def copy(self, arguments):
        flags, sources, into = dockerfile.copied(arguments)
        if flags:
            fail(f"COPY {arguments} in a build stage is not understood here")
        allowed = dockerfile.context(ROOT, ROOT / ".dockerignore")
        for source in sources:
            path = ROOT / source
            if not any(path == one or one in path.parents for one in allowed):
                fail(f".dockerignore keeps {source} from the build")
            # A folder's content is copied, a file into a folder or to a name.
            if path.is_dir():
                leave = shutil.ignore_patterns("target", "node_modules")
                shutil.copytree(path, into, dirs_exist_ok=True, ignore=leave)
            else:
                folder = Path(into) if into.endswith("/") else Path(into).parent
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, into)

    def command(self, arguments):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFENCE_", "CARGO_TARGET", "RUSTFLAGS"))}
        environment["CARGO_TERM_COLOR"] = "never"
        began = time.monotonic()
        done = subprocess.run(["/bin/sh", "-c", arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            fail(f"RUN {arguments}\n{done.stdout}{done.stderr}")
        compiled = len(re.findall(r"^ +Compiling ", done.stderr, re.M))
        say(f"RUN {' '.join(arguments.split())[:100]}…  {compiled} packages compiled, {time.monotonic() - began:.0f} s")


def remove(path):
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


# The last stages

class Image:
    """What the last stage holds, as the root of a file system."""

    def __init__(self, build, name, at):
        self.stage, self.root = build.stages[name], at
        if at.exists():
            shutil.rmtree(at)
        at.mkdir(parents=True)
        at.chmod(0o755)
        work = Path(build.stages["build"].last("WORKDIR"))
        for word, arguments in self.stage.instructions:
            if word == "COPY":
                flags, (source,), into = dockerfile.copied(arguments)
                source = build.at / Path(source).relative_to(work)
                into = self.inside(into)
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(source, into) if source.is_dir() else shutil.copy2(source, into)
                if "chown" in flags:
                    os.chown(into, *map(int, flags["chown"].split(":")))
            elif word == "RUN":
                fail(f"there is no shell to run {arguments}")
        self.program = dockerfile.words(self.stage.last("ENTRYPOINT"))[0]
        self.base()
        if self.stage.last("USER") != f"{USER}:{USER}":
            fail(f"USER {self.stage.last('USER')}")

    def inside(self, path):
        return self.root / str(path).lstrip("/")

    def base(self):
        """The part of the base that matters to a program: its libraries, their loader, authorities, the user."""
        told = run("ldd", self.inside(self.program), capture_output=True, text=True).stdout
        for line in told.splitlines():
            found = re.match(r"\s*(?:(\S+) => )?(/\S+) \(", line)
            if found:
                name, path = found.groups()
                if name and name not in BASE_LIBRARIES:
                    fail(f"{self.program} needs {name}, which the base does not have")
                self.inside(path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, self.inside(path))
        self.inside(AUTHORITIES).parent.mkdir(parents=True)
        shutil.copy2(AUTHORITIES, self.inside(AUTHORITIES))
        self.inside("/etc/passwd").write_text(f"root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/home/nonroot:/sbin/nologin\n")
        self.inside("/etc/hosts").write_text("127.0.0.1 localhost\n")
        self.inside("/tmp").mkdir(mode=0o1777)

    def seal(self, writable=(), readable=()):
        """Read-only from here on, but for the volumes. `readable` are (file outside, path inside)."""
        for outside, path in readable:
            self.inside(path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(outside, self.inside(path))
        run("mount", "--bind", self.root, self.root)
        for outside, path in writable:
            run("mount", "--bind", outside, self.inside(path))
        run("mount", "-o", "remount,bind,ro", self.root)

    def start(self, words=None, environment=None, **more):
        """The entry point with the image's own arguments, or others, as the image's user, with no right and no variable."""
        words = dockerfile.words(self.stage.last("CMD")) if words is None else words
        command = ["setpriv", "--no-new-privs", "--bounding-set=-all,+setuid,+setgid,+sys_chroot", "--inh-caps=-all",
                   "chroot", f"--userspec={USER}:{USER}", "--groups=", self.root, self.program, *words]
        return subprocess.Popen(command, env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"} | (environment or {}), **more)

    def ask(self, *words):
        process = self.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err


def network():
    """Loopback, in a network of our own, is down at first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as some:
        request = struct.pack("16sh", b"lo", 0x1 | 0x40)
        fcntl.ioctl(some, 0x8914, request)


def until(what, process, holds):
    """Asks until it holds; the patience is for a machine that is busy."""
    for _ in range(1800):
        if holds():
            return
        if process.poll() is not None:
            fail(f"{what}: the daemon ended with {process.returncode}\n{process.log.read_text()}")
        time.sleep(0.1)
    fail(f"{what}: not within minutes\n{process.log.read_text()}")


def get(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def serve(image, log):
    with open(log, "w") as out:
        process = image.start(stdout=out, stderr=subprocess.STDOUT)
    process.log = log
    return process


def stop(process):
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=60)
    if code != 0:
        fail(f"after SIGTERM the daemon ended with {code}\n{process.log.read_text()}")


def healthcheck(image):
    """The image's own."""
    command = dockerfile.words(image.stage.last("HEALTHCHECK").partition(" CMD ")[2])
    if command[0] != image.program:
        fail(f"HEALTHCHECK runs {command[0]}")
    return command[1:]


CONFIG = """\
endpoints: {resource_manager: "http://127.0.0.1:8080", authority: "http://127.0.0.1:8080"}
credential: {type: client_secret, tenant_id: TENANT, client_id: "00000000-0000-4000-8000-00000000c11e", secret_file: /run/secrets/mlfence}
schedule: {interval: 10s}
ledger: {path: LEDGER}
http: {listen: "0.0.0.0:9464"}
"""


def try_out(build, at):
    """The programs from their images; called inside a namespace with a network of its own."""
    network()
    armsim = Image(build, "armsim", at / "armsim")
    estate = armsim.inside("/usr/share/armsim/demo.jsonl").read_text()
    tenant = json.loads(estate.splitlines()[0])["tenant_id"]
    armsim.seal()
    volume = at / "volume"
    if volume.exists():
        shutil.rmtree(volume)
    secret, config = at / "secret", at / "mlfence.yaml"
    secret.write_text("armsim")
    given = [(secret, "/run/secrets/mlfence"), (config, "/etc/mlfence/mlfence.yaml")]
    text = CONFIG.replace("TENANT", tenant)

    # Where the configuration lets the daemon write into the image, it must say no.
    config.write_text(text.replace("LEDGER", "/usr/share/ledger.db"))
    image = Image(build, "mlfence", at / "refused")
    image.seal(readable=given)
    code, out, err = image.ask("--version")
    if (code, out.strip()) != (0, f"mlfence {version()} ({REVISION})"):
        fail(f"--version: {code} {out}{err}")
    say(out.strip())
    code, out, err = image.ask(*dockerfile.words(image.stage.last("CMD")))
    if code != 2 or "ledger" not in err:
        fail(f"a ledger on the read-only root: {code} {out}{err}")

    config.write_text(text.replace("LEDGER", "/var/lib/mlfence/ledger.db"))
    image = Image(build, "mlfence", at / "mlfence")
    # A new volume takes the content and the owner of the image's folder.
    shutil.copytree(image.inside("/var/lib/mlfence"), volume)
    owner = image.inside("/var/lib/mlfence").stat()
    os.chown(volume, owner.st_uid, owner.st_gid)
    image.seal(writable=[(volume, "/var/lib/mlfence")], readable=given)

    # Azure is not there: alive, and not ready.
    daemon = serve(image, at / "mlfence.log")
    check = healthcheck(image)
    until("the health check", daemon, lambda: image.ask(*check)[0] == 0)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    for name, wanted in [("Uid", f"{USER}\t" * 3 + str(USER)), ("CapEff", "0" * 16), ("NoNewPrivs", "1")]:
        found = re.search(rf"^{name}:\t(.*)$", status, re.M)[1]
        if found != wanted:
            fail(f"the daemon runs with {name} {found}")
    if image.ask("health", "--ready", *check[1:])[0] == 0:
        fail("the daemon is ready without a sweep")
    stop(daemon)

    simulator = armsim.start(stdout=subprocess.DEVNULL)
    daemon = serve(image, at / "mlfence.log")
    until("the first sweep", daemon, lambda: image.ask("health", "--ready", *check[1:])[0] == 0)
    metrics = get("http://127.0.0.1:9464/metrics")[1]
    records = sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith("mlfence_inventory_records"))
    findings = sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith("mlfence_open_findings"))
    if not records or not findings:
        fail(f"the sweep found {records} records and {findings} findings\n{daemon.log.read_text()}")
    if not (volume / "ledger.db").exists():
        fail("no ledger in the volume")
    say(f"serve on a read-only root as {USER}: {records:.0f} records, {findings:.0f} findings, ledger in the volume, health 0")
    stop(daemon)
    simulator.send_signal(signal.SIGTERM)
    simulator.wait(timeout=60)


def version():
    return re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def audit(program, at):
    """The list of dependencies inside the program, against Cargo.lock and the manifest."""
    section = at / "dependencies"
    run("objcopy", "--dump-section", f".dep-v0={section}", program, at / "dropped")
    (at / "dropped").unlink()
    inside = {(one["name"], one["version"]) for one in json.loads(zlib.decompress(section.read_bytes()))["packages"]}
    locked = set(re.findall(r'\[\[package\]\]\nname = "(.*)"\nversion = "(.*)"', (ROOT / "Cargo.lock").read_text()))
    if not inside <= locked:
        fail(f"in the program, but not locked: {inside - locked}")
    manifest = (ROOT / "Cargo.toml").read_text()
    wanted = re.findall(r"^([\w-]+) = ", manifest.partition("[dependencies]\n")[2].partition("\n[")[0], re.M)
    lacking = set(wanted) - {name for name, _ in inside}
    if not wanted or lacking:
        fail(f"the program's list of dependencies lacks {lacking}")
    say(f"the program names its {len(inside)} packages")


def alone(*flags):
    """This script again, in namespaces of its own."""
    return ["unshare", *flags, "--fork", sys.executable, __file__]


def main(words):
    profile = words[0] if words else "dev"
    at = ROOT / "target/container" / profile
    build = Build(at / "build", profile)
    root = os.geteuid() == 0
    if words[1:] == ["build"]:
        build.run(["build", "build-armsim"])
    elif words[1:] == ["run"]:
        try_out(build, at)
    else:
        say(f"PROFILE={profile}, {run('rustc', '--version', capture_output=True, text=True).stdout.strip()} of this machine instead of {build.stages['build'].base}")
        build.prepare()
        run(*alone("--mount", *([] if root else ["--map-root-user"])), profile, "build")
        audit(build.at / "out/mlfence", at)
        # Another user's rights cannot be had without root.
        run(*([] if root else ["sudo"]), *alone("--mount", "--net", "--pid", "--mount-proc"), profile, "run")
        say(f"passed with PROFILE={profile}; the bases were not fetched, nor an image made")


if __name__ == "__main__":
    main(sys.argv[1:])
