"""Params are set in their files; every other character stays."""

from __future__ import annotations

import difflib
import itertools
import time
from typing import Any

import pytest
import yaml

from gittrack.experiments.declared import DeclaredFileError, parse_values
from gittrack.experiments.overrides import Override, OverrideError, apply_overrides, parse_override, split_key
from gittrack.paths import InvalidPathError

HYDRA = """\
# Training of the digits model
defaults:
  - model: resnet        # see conf/model
  - _self_

seed: 42

train:
  lr: 1e-3               # found by sweep
  betas: [0.9, 0.999]
  optimizer: 'adam'
  schedule:
    name: "cosine"
    warmup:   500


# ---- the model -----
model:
    layers:
    - 64
    - 32   # narrow
    dropout: 0.10
    note: |
      two
      lines

    # trailing comment of model
data: {path: data/train, shuffle: true}  # flow
last:
"""

LIGHTNING = """\
trainer:
    max_epochs:    10
    accelerator: auto
    callbacks:
        -   class_path: EarlyStopping
            init_args:
                patience: 5
        -   class_path: Checkpoint
ids: 0o17
big: 1_000
when: 2024-01-02
empty: ""
...
"""

ANCHORS = """\
base: &base
  lr: 0.1
  momentum: 0.9
small:
  <<: *base
  size: 1
copy: *base
"""


def _changed_lines(before: str, after: str) -> list[str]:
    diff = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in diff if line[0] in "+-"]


def _apply(text: str, *changes: str, path: str = "params.yaml") -> str:
    return apply_overrides(text, path, [parse_override(f"{path}:{change}") for change in changes])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr=0.1", Override("params.yaml", "lr", 0.1)),
        ("conf/a.yaml:train.lr=1e-3", Override("conf/a.yaml", "train.lr", 0.001)),
        ("a=", Override("params.yaml", "a", "")),
        ("a=null", Override("params.yaml", "a", None)),
        ("a=no", Override("params.yaml", "a", "no")),
        ("a=012", Override("params.yaml", "a", 12)),
        ("a='1'", Override("params.yaml", "a", "1")),
        ("a=[1, {b: no}]", Override("params.yaml", "a", [1, {"b": "no"}])),
        ("a=x=y", Override("params.yaml", "a", "x=y")),
        ("a=key: value # all", Override("params.yaml", "a", "key: value # all")),
        ("a=*x", Override("params.yaml", "a", "*x")),
        ("a=two\nlines", Override("params.yaml", "a", "two\nlines")),
        ("'a.b=c'.d=1", Override("params.yaml", "'a.b=c'.d", 1)),
        ("p.yaml:a:b=1", Override("p.yaml", "a:b", 1)),
        ("~a.b", Override("params.yaml", "a.b", None, removes=True)),
        ("p.json:~a", Override("p.json", "a", None, removes=True)),
    ],
)
def test_form_of_an_override(text: str, expected: Override) -> None:
    """File, key and value are told apart; values are YAML 1.2."""
    assert parse_override(text) == expected


@pytest.mark.parametrize(
    "text", ["", "lr", "=1", "~a=1", "a..b=1", ".a=1", "a.=1", "'a=1", "a=[1", "a='x", "~", "a=" + "1" * 5000]
)
def test_wrong_override_is_refused(text: str) -> None:
    """A change that cannot be meant is an error of usage."""
    with pytest.raises(OverrideError) as caught:
        parse_override(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("file", ["/etc/x.yaml", "../x.yaml", ".git/config", "a\\b.yaml"])
def test_override_of_a_file_outside_is_refused(file: str) -> None:
    """The file is one of the repository."""
    with pytest.raises(InvalidPathError):
        parse_override(f"{file}:a=1")


def test_key_parts() -> None:
    """Quotes hold dots; everything else is split."""
    assert split_key("a.\"b.c\".'d e'.0") == ("a", "b.c", "d e", "0")


@pytest.mark.parametrize(
    ("change", "removed", "added"),
    [
        ("seed=7", "seed: 42", "seed: 7"),
        ("train.lr=1e-5", "  lr: 1e-3               # found by sweep", "  lr: 1.0e-05               # found by sweep"),
        ("train.betas.0=0.8", "  betas: [0.9, 0.999]", "  betas: [0.8, 0.999]"),
        ("train.betas=[1, 2]", "  betas: [0.9, 0.999]", "  betas: [1, 2]"),
        ("train.optimizer=sgd", "  optimizer: 'adam'", "  optimizer: 'sgd'"),
        ("train.optimizer=it's", "  optimizer: 'adam'", "  optimizer: 'it''s'"),
        ("train.optimizer=3", "  optimizer: 'adam'", "  optimizer: 3"),
        ("train.schedule.name=no", '    name: "cosine"', '    name: "no"'),
        ("train.schedule.warmup=0", "    warmup:   500", "    warmup:   0"),
        ("model.layers.1=16", "    - 32   # narrow", "    - 16   # narrow"),
        ("data.shuffle=false", "true}  # flow", "false}  # flow"),
        ("defaults.0.model=vit", "  - model: resnet        # see conf/model", "  - model: vit        # see conf/model"),
        ("last=x", "last:", "last: x"),
        ("last=", "last:", 'last: ""'),
        ("last.deep.er=1", "last:", "last: {deep: {er: 1}}"),
        ("seed=no", "seed: 42", 'seed: "no"'),
        ("seed='1e3'", "seed: 42", 'seed: "1e3"'),
        ("seed=.inf", "seed: 42", "seed: .inf"),
    ],
)
def test_set_changes_one_line(change: str, removed: str, added: str) -> None:
    """One line is replaced; comments, quotes, spaces and blank lines stay."""
    minus, plus = _changed_lines(HYDRA, _apply(HYDRA, change))[:1], _changed_lines(HYDRA, _apply(HYDRA, change))[1:]
    assert len(plus) == 1
    assert minus[0].rstrip("\n").endswith(removed)
    assert plus[0].rstrip("\n").endswith(added)


@pytest.mark.parametrize(
    ("change", "added", "after"),
    [
        ("new=1", "new: 1", "last:"),
        ("train.decay=0.1", "  decay: 0.1", "    warmup:   500"),
        ("train.schedule.min=1e-9", "    min: 1.0e-09", "    warmup:   500"),
        ("model.act=relu", "    act: relu", "      lines"),
        ("defaults.0.size=3", "    size: 3", "  - model: resnet        # see conf/model"),
    ],
)
def test_new_key_is_one_new_line(change: str, added: str, after: str) -> None:
    """A new key stands after the last of its mapping, in its column, before any comment of what follows."""
    lines = _apply(HYDRA, change).splitlines()
    position = lines.index(added)
    assert lines[position - 1] == after
    assert lines[:position] + lines[position + 1 :] == HYDRA.splitlines()


def test_new_nested_key_is_indented_as_the_file() -> None:
    """Mappings that are missing are created, in the file's own step."""
    assert _apply(LIGHTNING, "trainer.loops.fit.n=1").splitlines()[8:11] == [
        "    loops:",
        "        fit:",
        "            n: 1",
    ]
    assert _apply("", "a.b=1") == "a:\n  b: 1\n"
    assert _apply("# only a comment", "a=1") == "# only a comment\na: 1\n"
    assert _apply("{}\n", "a.b=1") == "a:\n  b: 1\n"
    assert _apply("null\n", "a=1") == "{a: 1}\n"
    assert _apply("a: {b: 1}", "a.c.d=2") == "a: {b: 1, c: {d: 2}}"
    assert _apply("a: {}", "a.c=2") == "a:\n  c: 2"
    assert _apply("a:\n  b: 1", "a.c=2") == "a:\n  b: 1\n  c: 2"


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ("~seed", ["seed: 42"]),
        ("~train.schedule.name", ['    name: "cosine"']),
        ("~train.schedule", ["  schedule:", '    name: "cosine"', "    warmup:   500"]),
        ("~model.layers.0", ["    - 64"]),
        ("~model.note", ["    note: |", "      two", "      lines"]),
        ("~last", ["last:"]),
        ("~defaults.0", ["  - model: resnet        # see conf/model"]),
    ],
)
def test_removal_takes_its_lines_only(change: str, gone: list[str]) -> None:
    """The comments around stay."""
    removed = [line[2:].rstrip("\n") for line in _changed_lines(HYDRA, _apply(HYDRA, change))]
    assert removed == gone


def test_removal_in_odd_places() -> None:
    """Braces, shared lines and last keys are handled."""
    assert _apply("a: {b: 1, c: 2, d: 3}", "~a.b") == "a: {c: 2, d: 3}"
    assert _apply("a: {b: 1, c: 2, d: 3}", "~a.d") == "a: {b: 1, c: 2}"
    assert _apply("a: [1]", "~a.0") == "a: []"
    assert parse_values("p.yaml", _apply("a:\n  b: 1\nc: 2\n", "~a.b").encode()) == {"a": {}, "c": 2}
    assert _apply("a:\n- b: 1\n  c: 2\n", "~a.0.b") == "a:\n- c: 2\n"
    assert _apply("a: 1\n", "~a") == "{}\n"


def test_block_value_is_replaced_on_the_line_of_its_key() -> None:
    """A scalar in the place of a mapping, a list or a block text; the key's comment stays."""
    assert _apply("a:  # why\n  b: 1\n  c: 2\n# next\nd: 1\n", "a=3") == "a: 3 # why\n# next\nd: 1\n"
    assert _apply("a:\n- 1\n- 2\n\nd: 1\n", "a=[3]") == "a: [3]\n\nd: 1\n"
    assert _apply("a: |\n  x\n  y\n\nd: 1\n", "a=z") == "a: z\n\nd: 1\n"
    assert _apply("a: >-\n  x\n# c\nd: 1\n", "a=z") == "a: z\n# c\nd: 1\n"


def test_anchors_are_respected() -> None:
    """A key from a merge is overridden where it is merged, an alias is replaced, and shared values are not changed."""
    assert _apply(ANCHORS, "small.lr=1").replace("  lr: 1\n", "", 1) == ANCHORS
    assert _apply(ANCHORS, "copy=1") == ANCHORS.replace("copy: *base", "copy: 1")
    for change in ("copy.lr=1", "base.lr=1", "base=1"):
        with pytest.raises(OverrideError, match="cannot be changed in that place alone"):
            _apply(ANCHORS, change)


def test_anchored_scalar_and_its_alias_part() -> None:
    """Setting one of two places that share a scalar leaves the other."""
    text = "lr: &lr 0.1\nwarm: *lr\n"
    assert _apply(text, "warm=1") == "lr: &lr 0.1\nwarm: 1\n"
    assert parse_values("p.yaml", _apply(text, "lr=1").encode()) == {"lr": 1, "warm": 0.1}


def test_text_that_looks_like_a_comment_goes_with_its_key() -> None:
    """The last line of a removed text does not stay as a comment, the comments behind it do."""
    text = "a:\n  b: |\n    x\n    # y\n  # of d\n  d: 2\n\n# of c\nc: 1\n"
    assert _apply(text, "~a.b") == "a:\n  # of d\n  d: 2\n\n# of c\nc: 1\n"
    assert _apply(text, "~a") == "\n# of c\nc: 1\n"


def test_comment_is_not_doubled() -> None:
    """A comment after a text of several lines stays, once, whatever takes the place of the text."""
    for value in ("z", "1", "[1]", "two\nlines"):
        assert _apply("a: |\n  x\n# c\nd: 1\n", f"a={value}").count("# c") == 1


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in itertools.pairwise("abcdefghi")),
        "a: " + "[" * 5000,
        "a: " + "{x: " * 5000,
        "".join(f"{'  ' * i}k:\n" for i in range(400)),
        "a: 1\na: 2\n",
        "a: " + "1" * 300_000,
        "? [a]\n: 1\n",
        "a: !!python/object/apply:os.system [x]\n",
    ],
)
def test_hostile_yaml_is_refused_before_it_is_edited(text: str) -> None:
    """Bombs, depth, duplicate keys and tags are refused at once."""
    started = time.process_time()
    with pytest.raises(DeclaredFileError):
        _apply(text, "new=1")
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "text", ["no", "1e3", "0o17", "1_000", "1:30", "2024-01-02", "~", "on", "=", "<<", "y: 1", "*a"]
)
def test_both_versions_of_yaml_read_the_same(text: str) -> None:
    """A script that reads YAML 1.1 gets the text, or the number, that was set."""
    for value in (text, [text], {text: 1}, 1e-5, -2.5e300, 10**20):
        for key in ("seed", "new", "train.optimizer", "train.schedule.name"):
            edited = apply_overrides(HYDRA, "params.yaml", [Override("params.yaml", key, value)])
            found = yaml.safe_load(edited)
            for part in key.split("."):
                found = found[part]
            assert found == value
            assert type(found) is type(value)


@pytest.mark.parametrize("text", [HYDRA, LIGHTNING, ANCHORS])
def test_setting_the_same_value_changes_nothing(text: str) -> None:
    """Every value set to what it is leaves the text byte for byte."""
    for key, value in parse_values("p.yaml", text.encode()).items():
        assert apply_overrides(text, "params.yaml", [Override("params.yaml", key, value)]) == text


@pytest.mark.parametrize("text", [HYDRA, LIGHTNING])
def test_every_value_can_be_set(text: str) -> None:
    """Each leaf of real-looking files takes any other value, and nothing else changes."""
    values = parse_values("p.yaml", text.encode())
    for key in values:
        for value in ("text", "no", "a: b", "", "x\ny", "é", 1e-7, [1, [2, "y"]], {"a": {}}, None, True, -3):
            edited = apply_overrides(text, "params.yaml", [Override("params.yaml", key, value)])
            expected: dict[str, Any] = dict(values)
            if isinstance(value, dict):
                del expected[key]
                expected[f"{key}.a"] = {}
            else:
                expected[key] = value
            assert parse_values("p.yaml", edited.encode()) == expected


def test_line_ends_and_byte_order_mark_stay() -> None:
    """CRLF files stay CRLF, new lines included."""
    text = "\ufeffa:\r\n  b: 1 # x\r\nc: 2\r\n"
    assert _apply(text, "a.b=2", "a.d=3", "e.f=1") == "\ufeffa:\r\n  b: 2 # x\r\n  d: 3\r\nc: 2\r\ne:\r\n  f: 1\r\n"
    assert _apply(text, "~a.b") == "\ufeffa: {}\r\nc: 2\r\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("seed.x=1", "'x' would be below 42, which is no mapping"),
        ("model.layers.2=1", "the list has the items 0 to 1, not '2'"),
        ("model.layers.x=1", "the list has the items 0 to 1, not 'x'"),
        ("~nothing", "there is no key 'nothing'"),
        ("~train.nothing.x", "there is no key 'nothing'"),
    ],
)
def test_impossible_place_is_refused(change: str, words: str) -> None:
    """The error names the key, the file and the reason."""
    with pytest.raises(OverrideError, match=words) as caught:
        _apply(HYDRA, change)
    assert "params.yaml" in str(caught.value)


JSON = """\
{
    "train": {
        "lr": 1.50e-3,
        "layers": [64, 32]
    },
    "name": "é",
    "none": {}
}
"""


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("train.lr=0.1", "1.50e-3", "0.1"),
        ("train.layers.1=16", "[64, 32]", "[64, 16]"),
        ("train.layers=[1, 2]", "[64, 32]", "[1, 2]"),
        ("name=ü", '"é"', '"ü"'),
        ("a.b=1", '"none": {}', '"none": {},\n    "a": {\n        "b": 1\n    }'),
        ("none.x=1", '"none": {}', '"none": {\n        "x": 1\n    }'),
        ("none.x=[]", '"none": {}', '"none": {\n        "x": []\n    }'),
        ("~name", '    "name": "é",\n', ""),
        ("~none", ',\n    "none": {}', ""),
    ],
)
def test_json_keeps_its_layout(change: str, before: str, after: str) -> None:
    """Only the place that was asked for changes; numbers and lists elsewhere keep their form."""
    assert _apply(JSON, change, path="params.json") == JSON.replace(before, after, 1)


@pytest.mark.parametrize("change", ["train.decay=0", "~train.layers.0", "~train.lr"])
def test_json_beside_a_list_on_one_line(change: str) -> None:
    """What a list on one line stands beside is laid out anew, and nothing further away."""
    edited = _apply(JSON, change, path="params.json")
    assert edited.startswith('{\n    "train": {\n        "l')
    assert edited.endswith('    },\n    "name": "é",\n    "none": {}\n}\n')


def test_compact_json_stays_compact() -> None:
    """Separators, tabs and a missing final newline are kept."""
    assert _apply('{"a":1,"b":[1,2]}', "c=3", path="p.json") == '{"a":1,"b":[1,2],"c":3}'
    assert _apply('{\n\t"a": 1\n}', "c=3", path="p.json") == '{\n\t"a": 1,\n\t"c": 3\n}'


def test_small_json() -> None:
    """Empty files, one-line objects and nulls work."""
    assert _apply("", "a.b=1", path="p.json") == '{\n  "a": {\n    "b": 1\n  }\n}\n'
    assert _apply('{"a": 1}', "b=2", path="p.json") == '{"a": 1, "b": 2}'
    assert _apply('{"a": 1}', "b=2", "~a", path="p.json") == '{"b": 2}'
    assert _apply("{}", "b=2", "~b", path="p.json") == "{}"
    assert _apply('{"a": null}', "a.b=2", path="p.json") == '{"a": {"b": 2}}'


TOML = """\
title = "x" # name
[train]
lr = 1e-3        # found by sweep
  layers = [64, 32]
opt.name = 'a # b' # c

[model."deep.er"]
on = true
inline = { a = 1 }
text = \"\"\"
lr = 5
\"\"\"
[[runs]]
lr = 1
"""


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("title=y", '"x" # name', '"y" # name'),
        ("train.lr=0.1", "1e-3   ", "0.1   "),
        ("train.layers=[1]", "[64, 32]", "[1]"),
        ("train.opt.name=z", "'a # b' # c", '"z" # c'),
        ("model.'deep.er'.on=false", "true", "false"),
        ("train.new=1", "# c\n", "# c\nnew = 1\n"),
        ("train.layers.0=1", "[64, 32]", "[1, 32]"),
        ("model.'deep.er'.inline.a=2", "{ a = 1 }", "{ a = 2 }"),
        ("model.'deep.er'.text=x", '"""\nlr = 5\n"""', '"x"'),
        ("runs.0.lr=2", "[[runs]]\nlr = 1", "[[runs]]\nlr = 2"),
        ("other.table.x=.inf", "lr = 1\n", "lr = 1\n\n[other.table]\nx = inf\n"),
        ("~train.lr", "lr = 1e-3        # found by sweep\n", ""),
    ],
)
def test_toml_keeps_its_layout(change: str, before: str, after: str) -> None:
    """A value is changed in place, wherever it stands; tables are found and created."""
    assert _apply(TOML, change, path="params.toml") == TOML[::-1].replace(before[::-1], after[::-1], 1)[::-1]


def test_new_toml_key_at_the_top() -> None:
    """It stands before the first table; some versions of tomlkit add an empty line."""
    edited = _apply(TOML, "top=1", path="params.toml")
    assert edited.replace("top = 1\n\n", "top = 1\n") == TOML.replace("# name\n", "# name\ntop = 1\n")


def test_toml_line_ends_stay() -> None:
    """CRLF files stay CRLF, new lines included."""
    assert _apply("a = 1\r\n[b]\r\nc = 1\r\n", "b.d=2", path="p.toml") == "a = 1\r\n[b]\r\nc = 1\r\nd = 2\r\n"


def test_toml_has_no_null() -> None:
    """At the top and deep in a value, with the way out."""
    for change in ("title=null", "train.layers=[1, null]"):
        with pytest.raises(OverrideError) as caught:
            _apply(TOML, change, path="params.toml")
        assert caught.value.hint


def test_other_forms_and_broken_files_are_refused() -> None:
    """What cannot be edited safely is not touched."""
    with pytest.raises(OverrideError, match="not YAML, JSON or TOML"):
        _apply("x = 1", "x=2", path="params.py")
    for text, path in (
        ("a: [", "p.yaml"),
        ("- 1", "p.yaml"),
        ("{", "p.json"),
        ("=", "p.toml"),
        ("a: 1\na: 2", "p.yaml"),
    ):
        with pytest.raises(DeclaredFileError):
            _apply(text, "a=1", path=path)
