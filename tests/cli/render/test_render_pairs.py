"""One experiment in full, and the difference of two."""

from __future__ import annotations

from gittrack.cli.render_pairs import Change, Section, render_changes, render_sections
from gittrack.experiments.table import MISSING


def test_sections_align_over_all_keys() -> None:
    """Values of all sections start in one column; sections without pairs are left out."""
    sections = [Section("", (("status", "completed"),)), Section("none", ()), Section("params", (("train.lr", 1e-5),))]
    assert list(render_sections(sections, width=80)) == ["status    completed", "", "params", "  train.lr  1e-5"]


def test_long_values_go_on_below() -> None:
    """A long command breaks at spaces; a note keeps its lines; escapes are written out."""
    sections = [Section("", (("command", "python train.py --lr 0.1 --seed 3"), ("note", "one\ntwo\x1b")))]
    assert list(render_sections(sections, width=30)) == [
        "command  python train.py --lr",
        "         0.1 --seed 3",
        "note     one",
        r"         two\x1b",
    ]


def test_changes_say_how_much_and_whether_it_is_better() -> None:
    """Deltas have a sign; the direction decides between better and worse."""
    changes = [
        Change("accuracy", 0.9, 0.945, "max"),
        Change("loss", 0.25, 0.5, "min"),
        Change("val", float("nan"), 1.0, "min"),
        Change("epochs", 0, 5),
        Change("seed", MISSING, 10),
    ]
    assert list(render_changes("metrics", changes)) == [
        "metrics",
        "  accuracy   0.9 → 0.945  +0.045    +5%  better",
        "  loss      0.25 → 0.5     +0.25  +100%  worse",
        "  val        nan → 1",
        "  epochs       0 → 5          +5",
        "  seed         - → 10",
    ]


def test_text_changes_have_no_delta() -> None:
    """Words, flags and numbers beyond floats are shown, not subtracted."""
    changes = [Change("opt", "sgd", "adam"), Change("flag", True, False), Change("n", 10**400, 1)]
    lines = list(render_changes("params", changes, unicode=False))
    assert lines[1].split() == ["opt", "sgd", "->", "adam"]
    assert lines[2].split() == ["flag", "true", "->", "false"]
    assert lines[3].endswith("-> 1")


def test_improvement_is_green() -> None:
    """With colours the words give way to green and red."""
    better, worse = list(render_changes("m", [Change("a", 1, 2, "max"), Change("b", 1, 2, "min")], colour=True))[1:]
    assert "\x1b[32m2\x1b[0m" in better
    assert "\x1b[31m2\x1b[0m" in worse
    assert "better" not in better


def test_nothing_changed_writes_nothing() -> None:
    """No changes, no heading."""
    assert list(render_changes("params", [])) == []
