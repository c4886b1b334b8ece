"""gittrack.yaml is data: files, directions, a storage URL, limits; anything that could act or leak is refused."""

from __future__ import annotations

import pytest

from gittrack.config import InvalidConfigError, ProjectConfig, SnapshotLimits, parse_project_config


def test_every_setting_is_read() -> None:
    """Each key has its place; sizes have units."""
    config = parse_project_config(
        b"""
params: conf/params.yaml
metrics: [metrics.json, eval/test.json, metrics.json]
plots:
  - plots/
directions: {val/loss: min, acc: max}
storage: s3://bucket/prefix
snapshot: {max_file_size: 5 MiB, max_total_size: 1GB, max_files: 10}
"""
    )
    assert config == ProjectConfig(
        params=("conf/params.yaml",),
        metrics=("metrics.json", "eval/test.json"),
        plots=("plots",),
        directions={"val/loss": "min", "acc": "max"},
        storage="s3://bucket/prefix",
        snapshot=SnapshotLimits(5 << 20, 10**9, 10),
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "params:\nmetrics: []\nsnapshot:\n", "{}"])
def test_empty_settings_are_the_defaults(text: str) -> None:
    """A file that says nothing is fine."""
    assert parse_project_config(text) == ProjectConfig()
    assert ProjectConfig().snapshot.max_file_bytes == 1 << 20


def test_unknown_are_collected() -> None:
    """A misspelt key is reported, not an error, so that newer files can be read."""
    assert parse_project_config("parms: [a]\nsnapshot: {max: 1}\n").unknown == ("parms", "snapshot.max")


@pytest.mark.parametrize(
    ("size", "expected"),
    [("1", 1), ("'1'", 1), ("2k", 2048), ("2KB", 2000), ("3mib", 3 << 20), ("1 G", 1 << 30), ("7 B", 7)],
)
def test_sizes(size: str, expected: int) -> None:
    """kB is a thousand bytes; k and KiB are 1,024."""
    assert parse_project_config(f"snapshot: {{max_file_size: {size}}}").snapshot.max_file_bytes == expected


@pytest.mark.parametrize(
    "url",
    [
        "git",
        "lfs",
        "gs://b/p",
        "az://container",
        "https://example.org:8080/x",
        "abfs://box@account.dfs.core.windows.net/p",
    ],
)
def test_storage_is_a_word_or_a_plain_url(url: str) -> None:
    """Known words and object stores are kept as written."""
    assert parse_project_config(f"storage: {url}").storage == url


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("command: rm -rf /", "starts no commands"),
        ("Run: x", "starts no commands"),
        ("params: [/etc/passwd]", "'params': the path '/etc/passwd' is absolute"),
        ("metrics: ../x.json", "leaves the repository"),
        ("plots: [.git/config]", r"\.git directory"),
        ("plots: /", "absolute"),
        ("params: [3]", "must be a list of paths, not 3"),
        ("metrics: {a: b}", "must be a list of paths"),
        ("storage: https://ada:secret@example.org/x", "holds a credential"),
        ("storage: s3://key@bucket/x", "holds a credential"),
        ("storage: abfs://a:b@x/y", "holds a credential"),
        ("storage: https://example.org/x?sig=secret", "holds a credential"),
        ("storage: https://example.org/x#secret", "holds a credential"),
        ("storage: file:///etc", "neither a known word nor"),
        ("storage: ext::sh -c id", "must be 'git', 'lfs' or a URL"),
        ("storage: /mnt/x", "neither a known word nor"),
        ("storage: ../x", "neither a known word nor"),
        ("storage: s3://bucket/../x", r"'\.\.' in its path"),
        ("storage: -s3://x", "neither a known word nor"),
        ("storage: [git]", "must be 'git', 'lfs' or a URL"),
        ("directions: {loss: down}", "must be 'min' or 'max', not 'down'"),
        ("directions: [loss]", "'directions' must hold keys and values"),
        ("directions: {loss: [min]}", "must be 'min' or 'max'"),
        ("snapshot: {max_file_size: big}", "must be a size such as"),
        ("snapshot: {max_file_size: -1}", "must be a size such as"),
        ("snapshot: {max_files: 1k}", "must be a number"),
        ("snapshot: {max_files: yes}", "must be a number"),
        ("- a", "the file must hold keys and values"),
        ("a: 1\na: 2", r"gittrack\.yaml: line 2: the key 'a' stands twice"),
        ("a: !!python/name:os.system x", "tag"),
    ],
)
def test_wrong_setting_is_refused(text: str, words: str) -> None:
    """The error names the file, the key and the reason, and never shows a credential."""
    with pytest.raises(InvalidConfigError, match=words) as caught:
        parse_project_config(text)
    assert str(caught.value).startswith("gittrack.yaml: ")
    assert "secret" not in str(caught.value)
