"""The main job of gittrack on real data: train, compare, share, in two repositories and under a minute.

`make demo` runs it. Everything happens in ``demo-work/`` beside this checkout, which is made anew each time and can be
looked at afterwards.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
BOLD, DIM, RESET = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if sys.stdout.isatty() else ("", "", "")


class Person:
    """Somebody with a clone of the project.

    Args:
        name: Their name.
        folder: Where their clone is.
        home: Their home folder, so that nothing of the real one is read or changed.
    """

    def __init__(self, name: str, folder: Path, home: Path) -> None:
        self.name = name
        self.folder = folder
        home.mkdir(parents=True)
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "GITTRACK_"))}
        self.environ.update(
            HOME=str(home),
            PATH=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
            GIT_CONFIG_NOSYSTEM="1",
            GITTRACK_PAGER="cat",
            COLUMNS=str(shutil.get_terminal_size((120, 24)).columns),  # tables fit a log as well as a terminal
            PYTHONWARNINGS="ignore",  # scikit-learn says that few epochs do not converge
        )
        for key, value in (("user.name", name), ("user.email", f"{name.lower()}@example.org"), ("gc.auto", "0")):
            subprocess.run(["git", "config", "--global", key, value], env=self.environ, check=True)

    def do(self, command: str, *, may_fail: bool = False) -> None:
        """Show a command and run it."""
        print(f"\n{BOLD}{self.name.lower()} $ {command}{RESET}", flush=True)
        done = subprocess.run(shlex.split(command), cwd=self.folder, env=self.environ, check=False)
        if done.returncode and not may_fail:
            sys.exit(f"demo: '{command}' failed with exit code {done.returncode}")

    def do_and_kill(self, command: str, after_s: float) -> None:
        """Show a command, start it, and kill it without warning."""
        print(f"\n{BOLD}{self.name.lower()} $ {command} & sleep {after_s:g}; kill -9 %1{RESET}", flush=True)
        process = subprocess.Popen(shlex.split(command), cwd=self.folder, env=self.environ)
        journals = self.folder / ".git" / "gittrack" / "runs"
        deadline = time.monotonic() + 30
        while not any(path.stat().st_size for path in journals.glob("*/run.journal")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def edit(self, path: str, old: str, new: str) -> None:
        """Show an edit and make it."""
        print(f"\n{DIM}{self.name.lower()} edits {path}: {old.strip()} → {new.strip()}{RESET}", flush=True)
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        if old not in text:
            sys.exit(f"demo: {path} does not hold {old!r}")
        file.write_text(text.replace(old, new), encoding="utf-8")


def title(text: str) -> None:
    """Say what comes next."""
    print(f"\n{BOLD}── {text} {'─' * max(0, 76 - len(text))}{RESET}", flush=True)


def main() -> None:
    """Play the whole story."""
    started = time.monotonic()
    work = HERE.parent / "demo-work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(work / "remote.git")], check=True)
    ada = Person("Ada", work / "ada", work / "home-ada")
    shutil.copytree(HERE / "digits", ada.folder, ignore=shutil.ignore_patterns("__pycache__"))

    title("A project in git")
    ada.do("git init --quiet -b main")
    ada.do(f"git remote add origin {os.path.relpath(work / 'remote.git', ada.folder)}")
    ada.do("gittrack init")
    ada.do("git add .")
    ada.do('git commit --quiet -m "Digits: a small network"')

    title("Experiments: from a script, with other params, one that fails, one that is killed")
    ada.do("python train.py")
    ada.do("gittrack exp run -n wide -S model.units=128 -- python train.py")
    ada.do("gittrack exp run -n wide-fast -S model.units=128 -S train.lr=0.01 -- python train.py")
    ada.do("gittrack exp run -n bad-solver -S train.solver=newton -- python train.py", may_fail=True)
    ada.edit("params.yaml", "epochs: 30", "epochs: 30\n  pause_s: 0.2")
    ada.do_and_kill("python train.py", after_s=1.5)
    ada.do("git checkout --quiet params.yaml")

    title("A commit is an experiment too: no line of gittrack in the code")
    ada.edit("params.yaml", "units: 32 ", "units: 128")
    ada.edit("params.yaml", "lr: 0.001", "lr: 0.01 ")
    ada.do("python evaluate.py")
    ada.do("git add .")
    ada.do('git commit --quiet -m "Wider and faster"')

    title("On from there")
    ada.do("gittrack exp run -n decay -S model.alpha=0.01 -- python train.py")
    ada.do("gittrack exp run -n longer -S train.epochs=60 -- python train.py")
    ada.do("gittrack exp run -n widest -S model.units=256 -- python train.py")

    title("Compare")
    ada.do("gittrack exp show")
    ada.do("gittrack exp diff decay widest")
    ada.do("gittrack exp show longer")

    title("Share: a plain git push sends the experiments too")
    ada.do("git push --quiet -u origin main")

    title("Somebody else")
    grace = Person("Grace", work, work / "home-grace")
    grace.do("git clone --quiet remote.git grace")
    grace.folder = work / "grace"
    grace.do("gittrack init")
    grace.do("gittrack pull")
    grace.do("gittrack exp show")

    print(f"\n{DIM}{time.monotonic() - started:.0f} s; both clones and the remote are in demo-work/{RESET}")


if __name__ == "__main__":
    main()
