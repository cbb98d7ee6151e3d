"""Fifty clients on the daemon's API while it sweeps a large estate: errors, how long answers take, memory, and what all that
costs the sweep. Quiet sweeps and asked ones take turns, so that whatever else the machine does falls on both. The clients run on
the same cores, and only read what they are answered.
"""

import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARMSIM, MLFENCE = ROOT / "target/release/armsim", ROOT / "target/release/mlfence"
WORKSPACES = int(os.environ.get("LOAD_WORKSPACES", "1000"))
CLIENTS = int(os.environ.get("LOAD_CLIENTS", "50"))
# What one client asks, again and again, and how long it thinks in between; None asks without a pause.
PATHS = os.environ.get("LOAD_PATHS", "/api/v1/findings?limit=100 /api/v1/findings?minimum_severity=high /api/v1/workspaces /").split()
PAUSE = float(os.environ.get("LOAD_PAUSE", "1.0"))
SWEEPS = int(os.environ.get("LOAD_SWEEPS", "7"))


class Daemon:
    """A daemon on an armsim of its own, after its first sweep."""

    def __init__(self, estate, folder):
        # Sweep after sweep, as no interval would have it: Azure would throttle that.
        simulator = [ARMSIM, "serve", estate, "--no-rate-limits"]
        self.simulator = subprocess.Popen(simulator, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        told = {}
        while "IDENTITY_HEADER" not in told:
            name, _, value = self.simulator.stdout.readline().strip().partition("=")
            told[name] = value
        config = folder / "mlfence.yaml"
        config.write_text(
            f"endpoints: {{ resource_manager: '{told['ARM_ENDPOINT']}', authority: '{told['ARM_ENDPOINT']}' }}\n"
            "credential: { type: managed_identity }\nschedule: { interval: 1h }\nhttp: { listen: '127.0.0.1:0' }\n"
            + estate.with_name(estate.name + ".expectations.yaml").read_text()
        )
        identity = {name: told[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
        command = [MLFENCE, "serve", "--config", config]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | identity)
        self.address = self.log("listens on").split("http://")[1].strip()
        self.first = self.sweep()

    def log(self, text):
        for line in self.process.stderr:
            if text in line:
                return line
            if " ERROR " in line:
                sys.exit(line)
        sys.exit("the daemon ended")

    def sweep(self):
        """Waits for the end of a sweep, and gives its seconds."""
        return float(re.search(r"([0-9.]+) s$", self.log("last sweep").strip())[1])

    def another(self):
        """Asks for a sweep, and gives its seconds."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request("POST", "/api/v1/sweeps")
        if connection.getresponse().status != 202:
            sys.exit("no sweep was taken")
        return self.sweep()

    def memory(self):
        """Resident now, and at its peak; MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return [int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")]

    def end(self):
        for process in (self.process, self.simulator):
            process.terminate()
            process.wait()


class Client(threading.Thread):
    """Asks over one connection that stays open, and notes how long each answer took."""

    def __init__(self, address, at, stop):
        super().__init__(daemon=True)
        self.address, self.at, self.stop = address, at, stop
        self.seconds, self.errors = [], []

    def run(self):
        # Not all at once: people and dashboards are not in step.
        self.stop.wait(PAUSE * self.at / CLIENTS)
        connection = http.client.HTTPConnection(self.address, timeout=60)
        turn = self.at
        while not self.stop.is_set():
            path = PATHS[turn % len(PATHS)]
            turn += 1
            began = time.monotonic()
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    self.errors.append(f"{path}: {answer.status}")
                elif len(body) != int(answer.headers["content-length"]):
                    self.errors.append(f"{path}: cut short")
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(f"{path}: {error!r}")
                connection.close()
            self.seconds.append(time.monotonic() - began)
            self.stop.wait(PAUSE)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        estate = folder / "estate.jsonl"
        subprocess.run([ARMSIM, "generate", "--workspaces", str(WORKSPACES), "-o", estate], check=True, stdout=subprocess.DEVNULL)
        daemon = Daemon(estate, folder)
        # The second sweep holds two estates at a time, as every later one does.
        daemon.another()
        before, alone, beside, clients, lasted = daemon.memory(), [], [], [], 0
        for _ in range(SWEEPS):
            alone.append(daemon.another())
            stop = threading.Event()
            crowd = [Client(daemon.address, at, stop) for at in range(CLIENTS)]
            began = time.monotonic()
            for client in crowd:
                client.start()
            beside.append(daemon.another())
            stop.set()
            for client in crowd:
                client.join()
            lasted += time.monotonic() - began
            clients += crowd
        after = daemon.memory()
        daemon.end()
    seconds = sorted(one for client in clients for one in client.seconds)
    errors = [one for client in clients for one in client.errors]
    quantile = lambda share: seconds[min(len(seconds) - 1, int(len(seconds) * share))] * 1000
    print(f"{WORKSPACES} workspaces, {CLIENTS} clients, a pause of {PAUSE} s, {', '.join(PATHS)}")
    print(f"answers {len(seconds)} in {lasted:.1f} s, errors {len(errors)}")
    print(f"p50 {quantile(0.5):.1f} ms, p99 {quantile(0.99):.1f} ms, longest {quantile(1.0):.1f} ms")
    print(f"sweeps, median of {SWEEPS}: quiet {statistics.median(alone):.1f} s, asked {statistics.median(beside):.1f} s, "
          f"{statistics.median(beside) / statistics.median(alone):.2f} times")
    print(f"memory, resident and peak: before {before[0]:.0f} and {before[1]:.0f} MB, after {after[0]:.0f} and {after[1]:.0f} MB")
    for error in sorted(set(errors))[:10]:
        print(error, file=sys.stderr)
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
