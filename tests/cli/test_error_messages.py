"""The mistakes that people make most: what each is told, word for word."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import call_gittrack
from tests.support.experiments import add_experiment
from tests.support.git_repository import make_repository, open_repository, run_git
from tests.support.remotes import make_bare

if TYPE_CHECKING:
    from pathlib import Path

# Command line -> exit code, message, hint; `{old}` and `{new}` stand for the beginnings of the baselines, `{top}` for
# the folder of the repository.
MISTAKES = {
    "frobnicate": (2, "no command 'frobnicate'", "run 'gittrack --help' for the list of commands"),
    "exp shwo": (2, "no command 'exp shwo'", "did you mean 'gittrack exp show'?"),
    "show": (2, "no command 'show'", "did you mean 'gittrack exp show'?"),
    "--frobnicate": (2, "no such option '--frobnicate'", "run 'gittrack --help'"),
    "exp show --sort acc": (2, "no such option '--sort'", "did you mean '--sort-by' or '--sort-order'?"),
    "gc --dryrun": (2, "no such option '--dryrun'", "did you mean '--dry-run'?"),
    "exp show --sort-by nope": (2, "no column 'nope'", "run 'gittrack exp show --csv' to see all columns"),
    "exp show --keep [": (
        2,
        "'[' is not a regular expression: unterminated character set at position 0",
        "put a backslash before a special character that stands for itself",
    ),
    "exp show --rev nope": (
        1,
        "git knows no commit 'nope'",
        "name a branch, a tag or a commit, as 'git log' takes it",
    ),
    "exp show nope": (1, "no experiment 'nope'", "run 'gittrack exp list' for all names"),
    "exp show brave-oter": (1, "no experiment 'brave-oter'", "did you mean 'brave-otter'?"),
    "exp show good": (2, "'good' fits 2 experiments", "choose one of: good@{new}, good@{old}"),
    "exp show good@nope": (1, "no experiment 'good' starts from 'nope'", "there is: good@{new}, good@{old}"),
    "exp show brave-otter --csv": (
        2,
        "--csv writes tables; one experiment can be written as --json",
        "gittrack exp show --csv for all experiments",
    ),
    "exp diff nope": (1, "'nope' is neither an experiment nor a commit", "run 'gittrack exp list' for all names"),
    "exp run": (2, "missing argument '-- COMMAND...'", "run 'gittrack exp run --help'"),
    "exp run -S lr -- true": (2, "not a change of a param: 'lr'", "write FILE:KEY=VALUE, or ~KEY to remove it"),
    "exp run -- nope": (127, "cannot run 'nope': there is no such program on PATH", None),
    "exp run --in-place -- ./train.py": (127, "cannot run './train.py': it is not executable", "chmod +x ./train.py"),
    "exp save -n a/b": (
        2,
        "not a valid name for an experiment: 'a/b'",
        "use 1 to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit",
    ),
    "exp apply": (2, "missing argument 'NAME'", "run 'gittrack exp apply --help'"),
    "exp branch brave-otter main": (
        1,
        "there is a branch 'main' already",
        "choose another name: gittrack exp branch brave-otter NAME",
    ),
    "exp remove": (2, "name the experiments to remove, or give --rev or --all", "run 'gittrack exp list'"),
    "exp remove --all": (2, "this would remove 3 experiments", "add --yes to say that you mean it"),
    "exp remove --restore nope": (
        1,
        "no experiment 'nope' in the trash",
        "the trash is empty; 'gittrack gc' empties it after 14 days",
    ),
    "push orgin": (1, "no remote 'orgin' (there is: gone, origin)", "did you mean 'origin'?"),
    "push brave-otter": (
        1,
        "no remote 'brave-otter' (there is: gone, origin)",
        "the remote comes first, as in 'gittrack push origin brave-otter'",
    ),
    "push https://me:word@example.org/x.git": (
        1,
        "no remote 'https://example.org/x.git' (there is: gone, origin)",
        "give the address a name: git remote add <name> https://example.org/x.git",
    ),
    "push gone": (
        1,
        "git push failed: '{top}/nowhere' does not appear to be a git repository",
        "see whether git itself gets an answer: git ls-remote gone",
    ),
    "pull origin nope": (1, "origin has no experiment 'nope'", "gittrack exp list origin"),
    "init --remote nope": (1, "no remote 'nope' (there is: gone, origin)", "git remote add nope <url>"),
    "exp import": (2, "no runs in 'gittrack-runs'", "name a folder 'gittrack-runs', or the folder of a run"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with three experiments over two baselines, a remote, and one that is gone; mistakes leave it so."""
    folder = tmp_path_factory.mktemp("mistakes")
    identity = {f"GIT_{who}_{what}": "ada@x.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in identity.items():
            patch.setenv(name, value)
        repo = make_repository(folder / "repo", "--initial-branch=main")
        add_experiment(open_repository(repo), "good")
        run_git("commit", "-q", "--allow-empty", "-m", "Second", cwd=repo)
        for name in ("good", "brave-otter"):
            add_experiment(open_repository(repo), name)
    run_git("remote", "add", "origin", str(make_bare(folder / "team.git")), cwd=repo)
    run_git("remote", "add", "gone", str(repo / "nowhere"), cwd=repo)
    return repo


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_explained(place: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on stdout; on stderr what was wrong and the way out; the exit code says which kind it was."""
    monkeypatch.chdir(place)  # and back
    code, message, hint = MISTAKES[line]
    known = {
        "old": run_git("rev-parse", "HEAD~", cwd=place)[:7],
        "new": run_git("rev-parse", "HEAD", cwd=place)[:7],
        "top": place,
    }
    expected = f"error: {message.format(**known)}\n" + (f"hint: {hint.format(**known)}\n" if hint else "")
    output = call_gittrack(*shlex.split(line), cwd=place)
    if "fits" in message or "starts from" in message:  # the order of baselines is that of their ids
        names = sorted(f"good@{known[name]}" for name in ("old", "new"))
        expected = expected.partition("good@")[0] + ", ".join(names) + "\n"
    assert output == (code, "", expected)
