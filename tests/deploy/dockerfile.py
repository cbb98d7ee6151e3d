"""A Dockerfile, as far as ours goes: its stages with their instructions, build arguments put in."""

import json
import re
from pathlib import Path


class Stage:
    def __init__(self, base, name):
        self.base, self.name, self.instructions = base, name, []

    def last(self, word):
        """The arguments of the last instruction of that kind."""
        return [arguments for other, arguments in self.instructions if other == word][-1]


def lines(text):
    """Instructions, comments left out and continued lines joined."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line.strip() for line in "\n".join(kept).replace("\\\n", " ").splitlines() if line.strip()]


def read(path, given):
    """The stages by name, in order. `given` are values of build arguments."""
    stages, everywhere, known = {}, {}, {}

    def put_in(text):
        for name in re.findall(r"\$\{(\w+)\}", text):
            if name in known:
                text = text.replace("${" + name + "}", known[name])
        return text

    for line in lines(Path(path).read_text()):
        word, _, arguments = line.partition(" ")
        if word == "ARG":
            name, _, default = arguments.partition("=")
            known[name] = given.get(name, default or everywhere.get(name, ""))
            if not stages:
                everywhere[name] = known[name]
        elif word == "FROM":
            known = dict(everywhere)
            base, _, name = put_in(arguments).partition(" AS ")
            stage = Stage(base, name or str(len(stages)))
            parent = stages.get(base)
            if parent:
                known |= parent.arguments
            stages[stage.name] = stage
            stage.arguments = known
        else:
            stage.instructions.append((word, put_in(arguments)))
    return stages


def words(arguments):
    """The words of an instruction's JSON form."""
    return json.loads(arguments)


def copied(arguments):
    """A COPY's flags, sources and destination."""
    parts = arguments.split()
    flags = dict(part[2:].split("=", 1) for part in parts if part.startswith("--"))
    paths = [part for part in parts if not part.startswith("--")]
    return flags, paths[:-1], paths[-1]


def context(root, ignore):
    """What of a folder reaches the build: the paths that .dockerignore lets through after it left out all."""
    kept = [line for line in Path(ignore).read_text().splitlines() if line and not line.startswith("#")]
    if kept[0] != "*" or not all(line.startswith("!") for line in kept[1:]):
        raise SystemExit(f"{ignore}: only `*` and then `!PATH` lines are understood here")
    return [Path(root) / line[1:] for line in kept[1:]]
