"""The commands of the guides in deploy/, run by bash with programs in the place of those that would reach a cluster or Azure."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def block(guide, name):
    """The commands between two marks."""
    text = (ROOT / guide).read_text()
    found = re.search(rf"<!-- {name}: begin -->\n```bash\n(.*?)```\n<!-- {name}: end -->", text, re.S)
    if not found:
        raise SystemExit(f"{guide} has no commands called {name}")
    return found[1]


def names(guide):
    return re.findall(r"<!-- ([a-z]+): begin -->", (ROOT / guide).read_text())


def run(commands, stand_ins, environment=None):
    """Runs them in a copy of deploy/, any failure and any variable that is not set being an error. Gives what they printed, and the folder's
    new files."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "bin").mkdir()
        (folder / "work").mkdir()
        # Not a copy: the chart's links lead out of its folder.
        (folder / "work/deploy").symlink_to(ROOT / "deploy")
        for name, text in stand_ins.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        variables = os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}"} | (environment or {})
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=folder / "work", env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"a guide's commands failed:\n{done.stdout}{done.stderr}")
        files = {path.name: path.read_text() for path in (folder / "work").iterdir() if path.is_file()}
        return done.stdout, files
