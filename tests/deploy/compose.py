"""deploy/compose: judged by Docker Compose, promtool and amtool, and then run without an engine.

mlfence and the simulator from the images' content that container.py has made, Debian's Prometheus and Alertmanager instead of the
images that the file names, each with the arguments, files and names that the file gives it. Grafana is not to be had here: its
provisioning is only compared with what it refers to.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
from pathlib import Path

import yaml

import container
import dockerfile

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy/compose/compose.yaml"
TOOLS = Path(sys.executable).parent
# What Debian has of the programs.
PROGRAMS = {"prometheus": "/usr/bin/prometheus", "alertmanager": "/usr/bin/prometheus-alertmanager"}


def fail(message):
    raise SystemExit(f"compose: {message}")


def tool(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    if done.returncode:
        fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def services():
    """The file as Docker Compose reads it."""
    return json.loads(tool(TOOLS / "docker-compose", "--file", FILE, "config", "--format", "json"))["services"]


def mounts(service):
    return [(Path(one["source"]), one["target"]) for one in service.get("volumes", []) if one["type"] == "bind"]


def lay(service, root):
    """The files of a service, at their places below a folder."""
    for source, target in mounts(service):
        into = root / target.lstrip("/")
        into.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, into) if source.is_dir() else shutil.copy2(source, into)


def consistent(all):
    """What the files say of each other."""
    stages = dockerfile.read(ROOT / "Dockerfile", {})
    names = set(all) | {name for one in all.values() for network in (one.get("networks") or {}).values() for name in (network or {}).get("aliases", [])}
    for name, service in all.items():
        for source, target in mounts(service):
            if not source.exists():
                fail(f"{name} mounts {source}, which does not exist")
        build = service.get("build")
        if build and build["target"] not in stages:
            fail(f"{name} builds {build['target']}, which is no stage of the Dockerfile")
        if not build and not re.search(r":v?\d+\.\d+\.\d+$", service["image"]):
            fail(f"{service['image']} has no full version")
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"]:
            fail(f"{name} may write or has capabilities")
        if any(port["host_ip"] != "127.0.0.1" for port in service.get("ports", [])):
            fail(f"{name} is open to others")

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, service in all.items():
            lay(service, folder / name)
        # Relative names of rule files are read from beside the file, as in the container.
        tool("promtool", "check", "config", folder / "prometheus/etc/prometheus/prometheus.yaml")
        tool("amtool", "check-config", folder / "alertmanager/etc/alertmanager/alertmanager.yaml")
        provisioning = folder / "grafana/etc/grafana/provisioning"
        (source,) = yaml.safe_load((provisioning / "datasources/mlfence.yaml").read_text())["datasources"]
        address = urllib.parse.urlsplit(source["url"])
        if source["type"] != "prometheus" or address.hostname not in names:
            fail(f"Grafana asks {source}")
        (provider,) = yaml.safe_load((provisioning / "dashboards/mlfence.yaml").read_text())["providers"]
        boards = list((folder / "grafana" / provider["options"]["path"].lstrip("/")).glob("*.json"))
        if not boards:
            fail(f"no dashboard in {provider['options']['path']}")
        for board in boards:
            json.loads(board.read_text())
    return names


def declared():
    """The daemon declares what the simulated company does."""
    with tempfile.TemporaryDirectory() as folder:
        tool(os.environ.get("ARMSIM", ROOT / "target/debug/armsim"), "estate", "demo", "-o", Path(folder) / "demo.jsonl")
        wanted = yaml.safe_load((Path(folder) / "demo.jsonl.expectations.yaml").read_text())
        tenant = json.loads((Path(folder) / "demo.jsonl").read_text().splitlines()[0])["tenant_id"]
    config = yaml.safe_load((ROOT / "deploy/compose/mlfence.yaml").read_text())
    if config["expectations"] != wanted["expectations"] or config["credential"]["tenant_id"] != tenant:
        fail("mlfence.yaml declares something else than `armsim estate demo` writes")


class Host:
    """The root of a service whose program is this machine's: its programs and libraries, and nothing of its files."""

    def __init__(self, name, service, at, hosts):
        self.name, self.service, self.root = name, service, at / name
        shutil.rmtree(self.root, ignore_errors=True)
        for path in ("etc", "tmp"):
            (self.root / path).mkdir(parents=True)
        for path in ("usr", "bin", "lib", "lib64"):
            if Path("/", path).is_symlink():
                (self.root / path).symlink_to(os.readlink(Path("/", path)))
            elif Path("/", path).exists():
                (self.root / path).mkdir()
                container.run("mount", "--bind", "-o", "ro", f"/{path}", self.root / path)
        lay(service, self.root)
        (self.root / "etc/hosts").write_text(hosts)
        for one in service.get("volumes", []):
            if one["type"] == "volume":
                (self.root / one["target"].lstrip("/")).mkdir()

    def start(self, log):
        self.log = log
        with open(log, "w") as out:
            process = subprocess.Popen(["chroot", self.root, PROGRAMS[self.name], *self.service["command"]], stdout=out, stderr=subprocess.STDOUT, env={"PATH": "/usr/sbin:/usr/bin"})
        process.log = log
        return process


def query(text):
    answer = container.get("http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": text}))[1]
    return json.loads(answer)["data"]["result"]


def answers(address, holds):
    """Whether somebody listens there and what it says holds."""
    try:
        status, body = container.get(address)
    except (urllib.error.URLError, OSError):
        return False
    return status == 200 and holds(json.loads(body))


def live(all, names, at):
    """All but Grafana, in a network where each name is this machine."""
    container.network()
    hosts = "127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in sorted(names))
    build = container.Build(ROOT / "target/container/dev/build", "dev")
    armsim = container.Image(build, "armsim", at / "armsim")
    armsim.seal()
    mlfence, service = container.Image(build, "mlfence", at / "mlfence"), all["mlfence"]
    mlfence.inside("/etc/hosts").write_text(hosts)
    volume = at / "ledger"
    shutil.rmtree(volume, ignore_errors=True)
    volume.mkdir()
    os.chown(volume, container.USER, container.USER)
    mlfence.seal(writable=[(volume, "/var/lib/mlfence")], readable=mounts(service))

    started = [armsim.start(stdout=subprocess.DEVNULL)]
    log = at / "mlfence.log"
    with open(log, "w") as out:
        daemon = mlfence.start(environment=service["environment"], stdout=out, stderr=subprocess.STDOUT)
    daemon.log = log
    alertmanager = Host("alertmanager", all["alertmanager"], at, hosts).start(at / "alertmanager.log")
    prometheus = Host("prometheus", all["prometheus"], at, hosts).start(at / "prometheus.log")
    started += [daemon, alertmanager, prometheus]
    try:
        container.until("Alertmanager has findings of mlfence", daemon, lambda: answers(
            "http://127.0.0.1:9093/api/v2/alerts", lambda alerts: any(one["labels"]["alertname"].startswith("Mlfence") for one in alerts)))
        container.until("Prometheus has Alertmanager", prometheus, lambda: answers(
            "http://127.0.0.1:9090/api/v1/alertmanagers", lambda told: told["data"]["activeAlertmanagers"]))
        container.until("Prometheus scrapes mlfence", prometheus, lambda: query('up{job="mlfence"} == 1') and query("mlfence_open_findings"))
        # The rules are evaluated: this one is recorded by them.
        container.until("Prometheus evaluates the rules", prometheus, lambda: query("mlfence:open_findings:held"))
        # Alerts lead here.
        status, page = container.get("http://127.0.0.1:9464/")
        assert status == 200 and "mlw-" in (page if isinstance(page, str) else page.decode()), "the page does not show the demo's workspaces"
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=60)


def main():
    all = services()
    if sys.argv[1:] == ["live"]:
        live(all, consistent(all), ROOT / "target/container/compose")
        return
    consistent(all)
    declared()
    version = tool(TOOLS / "docker-compose", "version", "--short").strip()
    root = os.geteuid() == 0
    command = [*([] if root else ["sudo"]), "unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", sys.executable, __file__, "live"]
    if subprocess.run(command, check=False).returncode:
        fail("the stack does not run")
    print(f"compose: Docker Compose {version} reads it; promtool, amtool; armsim, mlfence, Prometheus and Alertmanager ran with its files and saw each "
          "other: scraped, rules evaluated, findings alerted; Grafana and the images' names were not tried")


if __name__ == "__main__":
    main()
