"""deploy/systemd: what systemd says of the unit, and how much of the system it leaves open to the service."""

import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy/systemd/mlfence.service"
# Of 10; the unit's comment names it.
EXPOSURE = 1.1


def systemd(*words):
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main():
    with tempfile.TemporaryDirectory() as folder:
        # The program is not installed on this machine.
        unit = Path(folder) / UNIT.name
        text = UNIT.read_text()
        unit.write_text(text.replace("/usr/bin/mlfence", str(ROOT / "target/debug/mlfence")))
        code, said = systemd("verify", "--man=no", unit)
        if code or said:
            raise SystemExit(f"unit: systemd-analyze verify: {said}")
        code, said = systemd("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"exposure level for mlfence.service: ([\d.]+)", said)
    if code or not found or float(found[1]) > EXPOSURE:
        raise SystemExit(f"unit: systemd-analyze security:\n{said}")
    if f"exposure {EXPOSURE} of 10" not in text:
        raise SystemExit(f"unit: its comment does not say exposure {EXPOSURE} of 10")
    print(f"unit: systemd-analyze verify says nothing, security --offline {found[1]} of 10")


if __name__ == "__main__":
    main()
