"""`mlfence audit` against a plain sequential script on Microsoft's Python clients: the same estate, the same simulated Azure, the
same TLS. Counts the calls on the server, CPU seconds and peak memory by the kernel's account of each process, and prints a table.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "clients")]
import estate  # noqa: E402
from simulator import CLIENT, SECRET, Server  # noqa: E402

ARMSIM, MLFENCE = ROOT / "target/release/armsim", ROOT / "target/release/mlfence"
PYTHON = ROOT / "target/clients/sdk/bin/python"
# Kinds that the two do not tell alike: what stands above the subscriptions is listed anew in each of them, and a snapshot
# keeps no permissions.
NOT_COMPARED = {"permissions", "role_definitions", "service_tags"}


def run(command, server, folder):
    """Seconds, CPU seconds, peak MB and standard output of a command that asks this server."""
    out = folder / "out"
    began = time.monotonic()
    with open(out, "wb") as stdout, open(folder / "err", "wb") as stderr:
        process = subprocess.Popen(command, env=os.environ | server.environment, stdout=stdout, stderr=stderr, cwd=folder)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    # A report with findings is a report.
    if code not in (0, 1):
        sys.exit(f"{command[0]} ended with {code}:\n{(folder / 'err').read_text()}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.read_bytes()


def configuration(folder):
    (folder / "secret").write_text(SECRET)
    text = (
        f"credential: {{ type: client_secret, tenant_id: {estate.TENANT}, client_id: {CLIENT}, "
        f"secret_file: {folder / 'secret'} }}\n"
    )
    (folder / "mlfence.yaml").write_text(text)
    return folder / "mlfence.yaml"


def counts(snapshot):
    """Records by kind, as the sequential script counts them."""
    kinds = {}
    for line in Path(snapshot).read_text().splitlines():
        record = json.loads(line).get("record")
        if record:
            type_ = record["type"].lower().split("/")
            name = NAMES.get("/".join(type_))
            if name:
                kinds[name] = kinds.get(name, 0) + 1
    return kinds


NAMES = {
    "microsoft.resources/subscriptions": "subscriptions",
    "microsoft.machinelearningservices/workspaces": "workspaces",
    "microsoft.machinelearningservices/workspaces/computes": "computes",
    "microsoft.containerservice/managedclusters": "aks_clusters",
    "microsoft.network/virtualnetworks": "virtual_networks",
    "microsoft.network/networksecuritygroups": "network_security_groups",
    "microsoft.authorization/roleassignments": "role_assignments",
}


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        snapshot = folder / "race.jsonl"
        estate.main(snapshot)
        config = configuration(folder)
        contestants = {
            # Reads and keeps, as the script does; the other one judges besides.
            "mlfence snapshot": [MLFENCE, "snapshot", "-o", folder / "read.jsonl", "--config", config],
            "mlfence audit": [MLFENCE, "audit", "--config", config, "--format", "json"],
            "Python, sequential": [PYTHON, HERE / "sequential.py", estate.TENANT],
        }
        rows, told = [], {}
        for latency in (0, 40):
            for name, command in contestants.items():
                # One for each run: full allowances, no calls yet.
                server = Server(ARMSIM, snapshot, folder / "authority.pem", "--latency-ms", str(latency))
                try:
                    seconds, cpu, memory, told[name] = run(command, server, folder)
                    stats = server.stats()
                finally:
                    server.end()
                rows.append((name, latency, stats["total"], stats["statuses"].get("429", 0), cpu, memory, seconds))
        same(counts(folder / "read.jsonl"), json.loads(told["Python, sequential"]))
        table(rows)


def same(read, listed):
    """Both must have seen the same estate, or there is nothing to compare."""
    for kind, number in read.items():
        if kind not in NOT_COMPARED and listed.get(kind) != number:
            sys.exit(f"{kind}: mlfence read {number}, the script {listed.get(kind)}")


def table(rows):
    print("| who | latency | calls | 429 | CPU | peak memory | time |")
    print("|---|---|---|---|---|---|---|")
    for name, latency, calls, throttled, cpu, memory, seconds in rows:
        print(f"| {name} | {latency} ms | {calls} | {throttled} | {cpu:.1f} s | {memory:.0f} MB | {seconds:.1f} s |")
    for latency in (0, 40):
        *ours, theirs = [row for row in rows if row[1] == latency]
        for row in ours:
            ratios = [f"{what} {row[at] / theirs[at]:.2f}" for what, at in [("calls", 2), ("CPU", 4), ("memory", 5), ("time", 6)]]
            print(f"{row[0]} over the script at {latency} ms: {', '.join(ratios)}")


if __name__ == "__main__":
    main()
