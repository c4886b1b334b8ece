"""A path from a file stays inside the repository and outside `.git`, on every operating system."""

from __future__ import annotations

import pytest

from gittrack.paths import InvalidPathError, check_repository_path


@pytest.mark.parametrize(
    "path",
    [
        *("params.yaml", "a/b/c.json", ".github/x.yml", ".gitignore", ".gitattributes", "a.git", "git", ".gittrack/x"),
        *(
            "with space/é.csv",
            "日本\u3000語.txt",
            "\U0001f468\u200d\U0001f469.png",
            "\u0645\u06cc\u200c\u062e.txt",
            "...a",
            "-x",
            "~a",
        ),
        *("console.py", "com10.txt", "nullable.json", "x" * 255, "a?*.png"),
    ],
)
def test_ordinary_path_is_kept(path: str) -> None:
    """Names in any script, with spaces, joiners and leading dots are accepted unchanged."""
    assert check_repository_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/etc/passwd", "//server/x", "\\\\server\\x", "C:/x", "c:x", "a\\b", "~/../x/.."),
        *(
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a//b",
            "a/",
            "./a",
            "...",
            "a/.. ",
            "a/. ",
            ".. /b",
            "\u2025/a",
            "\uff0e\uff0e/a",
        ),
        *(
            ".git",
            ".git/config",
            "a/.git/hooks/x",
            ".GIT",
            ".Git/x",
            "git~1",
            "GIT~1/x",
            "git~2",
            ".git.",
            ".git ",
            ".git. .",
        ),
        *(".git::$INDEX_ALLOCATION/x", ".git:x", ".g\u200cit/x", "\u200d.git", ".git\ufeff", ".\u206agit", "\uff0egit"),
        *("con", "a/NUL", "aux.py", "Com1.txt", "lpt9", "PRN .txt", "com\u00b9", "CONIN$", "nul."),
        *(
            "a\0b",
            "a\nb",
            "a\x1b[0m",
            "a\x7f",
            "a\u202eb",
            "a\u2028b",
            "a\udcff",
            "trailing. ",
            "a.",
            "x" * 256,
            "é" * 128,
        ),
    ],
)
def test_hostile_path_is_refused(path: str) -> None:
    """Whatever any file system could read as another place is refused, with the path in the message."""
    with pytest.raises(InvalidPathError, match="path"):
        check_repository_path(path)
