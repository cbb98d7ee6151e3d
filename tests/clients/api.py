"""Schemathesis against a running daemon: what docs/openapi.json says of the API must hold for hundreds of requests, made up by
its own rules and against them. No answer may be a server's error, and every one must have the form that is described.
"""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from simulator import Simulator

ROOT = Path(__file__).parents[2]
MLFENCE = Path(os.environ.get("MLFENCE", ROOT / "target/debug/mlfence"))
TOKEN = "mlfence_a-token-for-schemathesis"
# Each of these is held, with what the document cannot say: a cursor is opaque, so a made-up one is a 400.
SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = [200, 202, 400, 404]
"""


def daemon(azure, at):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    config = at / "mlfence.yaml"
    config.write_text(
        f"endpoints: {{ resource_manager: '{azure.address}', authority: '{azure.address}' }}\n"
        "credential: { type: managed_identity }\n"
        "schedule: { interval: 1h }\n"
        "http:\n  listen: 127.0.0.1:0\n  snapshot: true\n"
        f"  tokens: [{{ name: schemathesis, sha256: {digest}, scopes: [read, trigger] }}]\n"
        + (at / "estate.jsonl.expectations.yaml").read_text()
    )
    identity = {"IDENTITY_ENDPOINT": f"{azure.address}/msi/token", "IDENTITY_HEADER": "armsim"}
    process = subprocess.Popen([MLFENCE, "serve", "--config", config], stderr=subprocess.PIPE, text=True, env=os.environ | identity)
    address = None
    for line in process.stderr:
        if "listens on" in line:
            address = line.split("listens on")[1].strip()
        if "last sweep" in line:
            break
    else:
        sys.exit("the daemon ended before its first sweep")
    return process, address


def main():
    began = time.monotonic()
    with Simulator() as azure:
        at = Path(azure.folder.name)
        process, address = daemon(azure, at)
        # Its log is read on, or it would wait for us.
        log = (at / "log").open("w")
        reader = subprocess.Popen(["cat"], stdin=process.stderr, stdout=log)
        (at / "schemathesis.toml").write_text(SETTINGS)
        command = [Path(sys.executable).parent / "schemathesis", "--config-file", at / "schemathesis.toml", "run"]
        command += [ROOT / "docs/openapi.json", "--url", address, "--header", f"Authorization: Bearer {TOKEN}"]
        command += ["--checks", "all", "--max-examples", "60", "--seed", "1", "--workers", "2", "--no-color"]
        command += ["--request-timeout", "10", "--warnings", "off"]
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        done = subprocess.run(command, cwd=at, env=environment)
        alive = process.poll() is None
        process.terminate()
        process.wait()
        reader.wait()
    if not alive:
        print("the daemon did not outlive it", file=sys.stderr)
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(done.returncode if alive else 1)


if __name__ == "__main__":
    main()
