"""Declared params and metrics are read from every common file, and one broken file loses no other."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gittrack.experiments.declared import (
    DeclaredFileError,
    declared_files,
    parse_metric_values,
    parse_values,
    read_declared,
)

DVC_YAML = b"""
vars: [{templated: x}]
params: [conf/top.yaml]
metrics:
  - results/top.json
  - results/option.json: {cache: false}
stages:
  prepare:
    cmd: python prepare.py
    params: [split, seed]
  train:
    cmd: python train.py
    wdir: src
    params:
      - lr
      - conf.yaml: [a, b]
      - ../all.toml:
      - ${templated}.yaml:
    metrics:
      - out/metrics.json: {cache: false}
      - ../metrics.json
  each:
    foreach: [a, b]
    do:
      cmd: python x.py ${item}
      params: [loop.yaml: [k]]
      metrics: ["scores/${item}.json", fixed.json]
  odd: 3
plots: [plots]
"""


def _reading(files: dict[str, bytes], asked: list[str] | None = None) -> Any:
    def read(path: str) -> bytes | None:
        if asked is not None:
            asked.append(path)
        return files.get(path)

    return read


def test_defaults_are_declared() -> None:
    """Without settings there are the two usual files, and those of DVCLive when present."""
    assert declared_files(_reading({})) == (("params.yaml",), ("metrics.json",), ())
    present = {"dvclive/params.yaml": b"", "dvclive/metrics.json": b""}
    assert declared_files(_reading(present)).params == ("params.yaml", "dvclive/params.yaml")
    assert declared_files(_reading(present)).metrics == ("metrics.json", "dvclive/metrics.json")


def test_dvc_yaml_declares_by_top_level_and_stages() -> None:
    """Working folders are honoured, key lists mean their file, and templates are skipped."""
    declared = declared_files(_reading({"dvc.yaml": DVC_YAML}))
    assert declared.params == (
        "conf/top.yaml",
        "params.yaml",
        "src/params.yaml",
        "src/conf.yaml",
        "all.toml",
        "loop.yaml",
    )
    assert declared.metrics == (
        *("results/top.json", "results/option.json", "src/out/metrics.json", "metrics.json", "fixed.json"),
    )
    assert declared.problems == ()


def test_gittrack_yaml_comes_first() -> None:
    """Its files have precedence over those of dvc.yaml and the defaults."""
    files = {"gittrack.yaml": b"params: [all.toml]\nmetrics: eval.json", "dvc.yaml": DVC_YAML}
    declared = declared_files(_reading(files))
    assert declared.params[:2] == ("all.toml", "conf/top.yaml")
    assert declared.metrics[:2] == ("eval.json", "results/top.json")


def test_path_outside_the_repository_is_never_opened() -> None:
    """Bad paths are reported and the others are kept."""
    asked: list[str] = []
    dvc = b"params: [/etc/passwd, .git/config, '../x', ok.yaml, '']\nmetrics: ['C:\\x', 'a/../../y.json']"
    values = read_declared(_reading({"dvc.yaml": dvc, "ok.yaml": b"a: 1"}, asked))
    assert values.params == {"a": 1}
    assert len(values.problems) == 6
    assert all(problem.startswith("dvc.yaml: ") for problem in values.problems)
    assert set(asked) <= {
        *("gittrack.yaml", "dvc.yaml", "ok.yaml", "params.yaml", "metrics.json"),
        *("dvclive/params.yaml", "dvclive/metrics.json"),
    }


def test_broken_file_loses_no_other() -> None:
    """Each problem names its file and the reason; all else is read."""
    values = read_declared(
        _reading(
            {
                "gittrack.yaml": b"params: [a.yaml, b.json, c.ini, d.yaml, list.yaml]\ncommand: x",
                "dvc.yaml": b"params: [a.yaml, b.json, c.ini, d.yaml, list.yaml]",
                "a.yaml": b"x: [1",
                "b.json": b'{"y": 1, "y": 2}',
                "c.ini": b"z = 1",
                "d.yaml": b"ok: 1",
                "list.yaml": b"[1]",
                "metrics.json": b'{"acc": 0.5}',
            }
        )
    )
    assert values.params == {"ok": 1}
    assert values.metrics == {"acc": 0.5}
    assert [problem.partition(":")[0] for problem in values.problems] == [
        *("gittrack.yaml", "a.yaml", "b.json", "c.ini", "list.yaml"),
    ]
    assert values.files == ("a.yaml", "b.json", "c.ini", "d.yaml", "list.yaml", "metrics.json")
    assert values.problems[0].count("gittrack.yaml") == 1


def test_same_key_of_two_files_is_told_apart_only_when_it_differs() -> None:
    """The first file has the bare key; a later, different value gets the file's name before it."""
    values = read_declared(
        _reading(
            {
                "gittrack.yaml": b"params: [a.yaml, b.yaml]",
                "a.yaml": b"lr: 0.1\nseed: 1\nn: .nan",
                "b.yaml": b"lr: 0.2\nseed: 1\nn: .nan",
            }
        )
    )
    assert list(values.params) == ["lr", "seed", "n", "b.yaml:lr"]
    assert (values.params["lr"], values.params["b.yaml:lr"]) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("p.yaml", b"train:\n  lr: 1e-3\n  layers: [64, 32]\nname: no\n"),
        ("p.yml", b"{train: {lr: 0.001, layers: [64, 32]}, name: 'no'}"),
        ("p.json", b'{"train": {"lr": 1e-3, "layers": [64, 32]}, "name": "no"}'),
        ("P.TOML", b'name = "no"\n[train]\nlr = 1e-3\nlayers = [64, 32]'),
        (
            "p.py",
            b"class train:\n    lr: float = 1e-3\n    layers = (64, 32)\nname = 'no'\nx = f()\nimport os\ny: int\n",
        ),
    ],
)
def test_every_form_gives_the_same_values(path: str, data: bytes) -> None:
    """YAML, JSON, TOML and Python literals mean the same."""
    assert parse_values(path, data) == {"train.lr": 1e-3, "train.layers": [64, 32], "name": "no"}


def test_long_toml_array_is_no_deep_key() -> None:
    """Only the dots of keys count for the limit that keeps hostile TOML cheap."""
    numbers = [i + 0.5 for i in range(500)]
    assert parse_values("p.toml", f"x = {numbers}".encode()) == {"x": numbers}


@pytest.mark.parametrize("path", ["p.yaml", "p.json", "p.toml", "p.py"])
def test_empty_file_has_no_values(path: str) -> None:
    """Nothing is no error."""
    assert parse_values(path, b"") == {}


def test_python_is_never_executed(tmp_path: Any) -> None:
    """Calls, bytes and other computed values are left out."""
    code = f"import pathlib\nx = pathlib.Path({str(tmp_path / 'made')!r}).touch()\nb = b'1'\nc = d = -1\ne, f = 1, 2\n"
    assert parse_values("p.py", code.encode()) == {"c": -1, "d": -1}
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        *(
            ("p.yaml", b"- 1"),
            ("p.json", b"[1]"),
            ("p.json", b"{"),
            ("p.toml", b"a = "),
            ("p.toml", b"\xff"),
            ("p.py", b"x ="),
        ),
        *(
            ("p.txt", b"a"),
            ("p", b"a"),
            ("p.yaml", b"a: 1\na: 2"),
            ("p.yaml", b"a.b: 1\na: {b: 2}"),
            ("p.json", b'{"": 1}'),
        ),
        *(
            ("p.py", b"x = " + b"(" * 10_000),
            ("p.py", b"x = " + b"-" * 100_000 + b"1"),
            ("p.py", b"\0"),
            ("p.py", b"x = '\xff'"),
        ),
        *(
            ("p.toml", b"x = " + b"[" * 100_000),
            ("p.toml", b".".join([b"a"] * 50_000) + b" = 1"),
            ("p.toml", b"x = {" + b".".join([b"1"] * 50_000) + b" = 1}"),
            ("p.toml", b"[" + b" . ".join([b"'1x'"] * 20_000) + b"]"),
            ("p.yaml", b"a" * 300_000),
        ),
        *(("p.json", b"[" * 100_000), ("p.json", b'{"a": ' * 500 + b"1" + b"}" * 500)),
    ],
)
def test_unreadable_file_is_one_error(path: str, data: bytes) -> None:
    """Whatever is wrong or hostile, it is a DeclaredFileError."""
    with pytest.raises(DeclaredFileError):
        parse_values(path, data)


def test_metrics_are_numbers() -> None:
    """Texts, lists, bools and nulls are left out; written NaN and infinities are numbers."""
    data = b'{"a": 1, "b": {"c": 0.5, "d": "nan", "e": "-inf"}, "f": true, "g": "x", "h": [1], "i": null, "j": NaN}'
    metrics = parse_metric_values("m.json", data)
    assert repr(metrics) == repr({"a": 1, "b.c": 0.5, "b.d": math.nan, "b.e": -math.inf, "j": math.nan})


def test_number_of_files_is_limited() -> None:
    """A hostile list costs no more than a hundred files."""
    many = ", ".join(f"p{i}.yaml" for i in range(150))
    declared = declared_files(_reading({"gittrack.yaml": f"params: [{many}]".encode()}))
    assert len(declared.params) == 101
    assert len(declared.problems) == 50
