"""A simulated Azure for a stock client: started, asked what it served, ended; and the snapshot that it serves.

What a client does with it is left to the scripts beside this one.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ARMSIM = Path(os.environ.get("ARMSIM", Path(__file__).parents[2] / "target/debug/armsim"))
# The secret of every client, and an id that means nothing.
SECRET = "armsim"
CLIENT = "00000000-0000-4000-8000-00000000c11e"


class Snapshot:
    """The records of the demo estate, as far as the caller may read them."""

    def __init__(self, path):
        lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
        header = lines[0]
        self.tenant = header["tenant_id"]
        denied = {line["gap"]["scope"].split("/")[2] for line in lines if line.get("gap", {}).get("reason") == "denied"}
        self.subscriptions = [one["id"] for one in header["subscriptions"]]
        self.readable = [one for one in self.subscriptions if one not in denied]
        records = (line["record"] for line in lines if "record" in line)
        self.records = [one for one in records if subscription_of(one["id"]) not in denied]

    def of(self, *types):
        """The records of these types by id, as ids are compared: without case. A record's id tells its type better than
        its own word."""
        types = {one.lower() for one in types}
        return {one["id"].lower(): one for one in self.records if type_of(one) in types}


def subscription_of(resource):
    parts = resource.strip("/").split("/")
    return parts[1] if parts[0].lower() == "subscriptions" and len(parts) > 1 else None


def type_of(record):
    parts = record["id"].strip("/").lower().split("/")
    if "providers" not in parts:
        return {2: "microsoft.resources/subscriptions", 4: "microsoft.resources/resourcegroups"}.get(len(parts), "")
    parts = parts[len(parts) - parts[::-1].index("providers") :]
    return "/".join([parts[0], *parts[1::2]])


class Server:
    """`armsim serve`, behind an HTTPS proxy with an authority of its own."""

    def __init__(self, program, snapshot, authority, *options):
        self.authority = authority
        command = [program, "serve", snapshot, "--ca", authority, *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        told = {}
        while "IDENTITY_HEADER" not in told:
            line = self.process.stdout.readline()
            if not line:
                sys.exit("armsim ended before it served")
            name, _, value = line.strip().partition("=")
            told[name] = value
        self.address = told["ARM_ENDPOINT"]
        self.environment = {name: told[name] for name in ("HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
        # Whatever the machine's own way out is, it is none of ours.
        self.environment |= {"https_proxy": told["HTTPS_PROXY"], "NO_PROXY": "", "no_proxy": ""}

    def stats(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.address}/_armsim/stats") as answer:
            return json.load(answer)

    def end(self):
        self.process.terminate()
        self.process.wait()


class Simulator(Server):
    """A server of the demo estate, in a folder that goes with it."""

    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory()
        at = Path(self.folder.name)
        estate = at / "estate.jsonl"
        subprocess.run([ARMSIM, "estate", "demo", "-o", estate], check=True)
        self.snapshot = Snapshot(estate)
        super().__init__(ARMSIM, estate, at / "authority.pem", *options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        self.folder.cleanup()

    def served(self, status):
        """How many answers had that status so far."""
        return self.stats()["statuses"].get(str(status), 0)


class Table:
    """Rows `kind | via | snapshot | client | same`, and whether all are the same."""

    def __init__(self, client):
        self.client, self.rows, self.problems, self.began = client, [], [], time.monotonic()

    def compare(self, kind, via, expected, found, problems=()):
        """`expected` and `found` are ids, without case; `problems` what else differs."""
        expected, found = sorted(expected), sorted(found)
        problems = list(problems)
        if not expected:
            problems.append("the snapshot has none, so nothing is shown")
        problems += [f"missing: {one}" for one in expected if one not in found]
        problems += [f"unexpected: {one}" for one in found if one not in expected]
        problems += [f"twice: {one}" for one in sorted(set(found)) if found.count(one) > 1]
        self.rows.append((kind, via, len(expected), len(found), "no" if problems else "yes"))
        self.problems += [f"{kind} via {via}: {one}" for one in problems]

    def check(self, what, holds):
        if not holds:
            self.problems.append(what)

    def end(self):
        """Prints, and ends the process."""
        head = ("kind", "via", "snapshot", self.client, "same")
        widths = [max(len(str(row[i])) for row in [head, *self.rows]) for i in range(len(head))]
        line = lambda row: "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"
        print(line(head))
        print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        for row in self.rows:
            print(line(row))
        for problem in self.problems:
            print(problem, file=sys.stderr)
        print(f"{len(self.rows)} comparisons, {len(self.problems)} differences, {time.monotonic() - self.began:.0f} s")
        sys.exit(1 if self.problems else 0)


def leaves(value, at=""):
    """Each scalar of a JSON value with its path; empty lists and objects count as absent, as null does."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{at}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{at}/{index}")
    elif value is not None:
        yield at, value


def instant(value):
    """A time in one spelling: clients read times, to the microsecond, and write them in their own."""
    time = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)", value) if isinstance(value, str) else None
    return (time[1], (time[2] or "")[:7].rstrip("0.")) if time else value


def differences(record, seen, deep=()):
    """What the client tells otherwise than the record does, or does not tell of the fields `deep`.

    A client knows a part of the fields only, by the api-version that it was made for; what it knows must be right.
    """
    record, seen = dict(leaves(record)), dict(leaves(seen))
    for path, value in seen.items():
        if path not in record:
            yield f"{path} is {value!r}, which the record has not"
        elif instant(record[path]) != instant(value):
            yield f"{path} is {value!r}, not {record[path]!r}"
    for path in deep:
        if path in record and path not in seen:
            yield f"{path} is lost"
