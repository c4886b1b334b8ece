"""The commands: one table of names, modules and short helps, from which the top-level help is written.

A command is one module that has a click command named `command`. It is imported when it is called, never for the
help of the commands beside it, so a further command makes no other command slower. This module imports nothing.
"""

from __future__ import annotations

# Title of a section of the help -> words of a command -> (its module, its short help).
TOPICS: dict[str, dict[str, tuple[str, str]]] = {
    "record": {
        "exp save": ("gittrack.cli.exp.save", "Record the workspace as it is"),
        "exp run": ("gittrack.cli.exp.run", "Run a command and record it, with other params if wanted"),
        "exp import": ("gittrack.cli.exp.import_", "Take up runs that were recorded outside a repository"),
    },
    "compare": {
        "exp show": ("gittrack.cli.exp.show", "Show experiments in a table, or one in full"),
        "exp list": ("gittrack.cli.exp.list", "List the names of experiments, here or on a remote"),
        "exp diff": ("gittrack.cli.exp.diff", "Show what differs between two experiments"),
        "exp artifacts": ("gittrack.cli.exp.artifacts", "List the artifacts of an experiment"),
        "exp plots": ("gittrack.cli.exp.plots", "List the plots of an experiment, or print one"),
        "exp report": ("gittrack.cli.exp.report", "Make one page of an experiment, to read or to send"),
    },
    "use": {
        "exp apply": ("gittrack.cli.exp.apply", "Bring the files of an experiment into the workspace"),
        "exp branch": ("gittrack.cli.exp.branch", "Make a git branch from an experiment"),
        "exp rename": ("gittrack.cli.exp.rename", "Give an experiment another name"),
        "exp remove": ("gittrack.cli.exp.remove", "Remove experiments; 'gittrack gc' makes it final"),
    },
    "artifacts": {
        "add": ("gittrack.cli.add", "Track files and folders, by pointers in git"),
        "checkout": ("gittrack.cli.checkout", "Restore artifacts as their pointers say"),
        "get": ("gittrack.cli.get", "Get an artifact out of any repository, cloned or not"),
        "ls": ("gittrack.cli.ls", "List artifacts, or the files of one"),
        "cat": ("gittrack.cli.cat", "Write the content of an artifact to standard output"),
        "diff": ("gittrack.cli.diff", "Show which artifacts and files differ between revisions"),
        "mv": ("gittrack.cli.mv", "Move an artifact with its pointer and its ignore line"),
        "rm": ("gittrack.cli.rm", "Remove artifacts with their pointers, or untrack them"),
        "verify": ("gittrack.cli.verify", "Check the content in the cache, and repair it"),
        "import-dvc": ("gittrack.cli.import_dvc", "Track what DVC tracks, without DVC"),
        "lineage": ("gittrack.cli.lineage", "Show which experiments made an artifact and which used it"),
    },
    "share": {
        "push": ("gittrack.cli.push", "Send experiments and their artifacts to a remote"),
        "pull": ("gittrack.cli.pull", "Fetch experiments and artifacts, and merge them"),
        "fetch": ("gittrack.cli.fetch", "Bring the experiments of a remote beside your own"),
    },
    "watch": {
        "live status": ("gittrack.cli.live.status", "Show where runs are posted, and what is still to be"),
        "live post": ("gittrack.cli.live.post", "Tell a receiver of one event of a training"),
        "live flush": ("gittrack.cli.live.flush", "Post what killed processes left"),
    },
    "move here": {
        "import mlflow": ("gittrack.cli.importing.mlflow", "Take up the runs of a store of MLflow"),
        "import wandb": ("gittrack.cli.importing.wandb", "Take up offline runs of Weights & Biases"),
        "import tensorboard": ("gittrack.cli.importing.tensorboard", "Take up runs from event files"),
        "import dvc": ("gittrack.cli.importing.dvc", "Take up experiments of DVC and folders of DVCLive"),
        "export dvc": ("gittrack.cli.export_dvc", "Let DVC list experiments, with params and metrics"),
    },
    "set up": {
        "init": ("gittrack.cli.init", "Set up hooks and sharing in this repository"),
        "uninit": ("gittrack.cli.uninit", "Remove hooks and settings without a trace"),
        "status": ("gittrack.cli.status", "Show the state of gittrack in this repository"),
        "doctor": ("gittrack.cli.doctor", "Look for problems and say how to solve them"),
        "gc": ("gittrack.cli.gc", "Free the space of removed experiments and artifacts"),
    },
}

COMMANDS: dict[str, tuple[str, str]] = {name: entry for topic in TOPICS.values() for name, entry in topic.items()}

GROUPS = {
    "exp": "Record, compare and use experiments",
    "live": "Let others watch a training while it goes on",
    "import": "Take up what other trackers recorded",
    "export": "Let other trackers see experiments",
}

_HELP = """\
usage: gittrack [-h | --help] [--version] <command> [<argument>...]

Experiment tracking with nothing but git: an experiment is a commit on a hidden
branch, and 'git push' and 'git pull' share it.
"""

_FOOTER = """
'gittrack <command> --help' explains a command and ends with an example.
'git exp show' is the same as 'gittrack exp show'.
"""


def subcommands(group: str) -> dict[str, str]:
    """Return the commands of a group by their last word, with their short helps.

    Args:
        group: The words of the group; empty for the top, where groups are listed too.

    Example:
        >>> list(subcommands("exp"))[:2]
        ['save', 'run']
        >>> subcommands("")["exp"]
        'Record, compare and use experiments'
    """
    prefix = f"{group} " if group else ""
    inside = {
        name.removeprefix(prefix): help_text for name, (_, help_text) in COMMANDS.items() if name.startswith(prefix)
    }
    direct = {name: help_text for name, help_text in inside.items() if " " not in name}
    return direct if group else {**GROUPS, **direct}


def render_help(group: str = "") -> str:
    """Return the help of `gittrack`, or of one of its groups, by topics as git does it.

    Args:
        group: The words of the group; empty for the top.
    """
    prefix = f"{group} " if group else ""
    lines = [f"usage: gittrack {group} <command> [<argument>...]\n\n{GROUPS[group]}\n"] if group else [_HELP]
    width = max(map(len, COMMANDS)) + 2
    for title, topic in TOPICS.items():
        members = {name: help_text for name, (_, help_text) in topic.items() if name.startswith(prefix)}
        if members:
            lines += ["", title, *(f"   {name:<{width}}{help_text}" for name, help_text in members.items()), ""]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + _FOOTER
