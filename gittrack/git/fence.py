"""What every git process is told, so that a hostile repository runs nothing and a hook's variables redirect nothing.

No process is started here, so that hooks can use it without the cost of `subprocess`.
"""

from __future__ import annotations

# `git rev-parse --local-env-vars`: what a hook inherits and what would redirect our calls to other
# repositories or indexes. Constant since git 2.30; asking git for it would cost a process per call.
# Left in: GIT_CONFIG_COUNT and GIT_CONFIG_PARAMETERS, by which CI systems hand over credentials.
LOCAL_ENVIRONMENT = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
# Set for every call: English messages (they are parsed nowhere, but shown), no password prompt from a
# background thread, no index refresh written by a read, no tracing into our pipes, no replaced objects.
FIXED_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",
    # A partial clone fetches absent objects on demand, with the command that its settings name.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_PAGER": "cat",
    # Hooks of ours end at this mark, wherever a git process of ours may start them.
    "GITTRACK_HOOK": "internal",
    # The value for `render_hooks_off`.
    "GITTRACK_OFF": "false",
    "LC_ALL": "C",
}
SAFE_SETTINGS = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "protocol.ext.allow=never",
)

# git 2.54 keeps hooks in its settings too, where core.hooksPath does not reach. These commands, of those that are used
# here, run none (`status` would only when it wrote the index, which GIT_OPTIONAL_LOCKS keeps it from); for all others
# each hook is switched off by its name. (git 2.55 can switch off an event, but not when the settings also hold a hook
# with the event's name.)
HOOKLESS = frozenset(
    {
        *("cat-file", "check-ignore", "config", "count-objects", "diff-tree", "for-each-ref", "hash-object", "log"),
        *("ls-files", "ls-remote", "ls-tree", "mktree", "remote", "rev-list", "rev-parse", "status", "var", "version"),
    }
)
LIST_HOOK_SETTINGS = ("config", "--null", "--name-only", "--get-regexp", r"^hook\..*\.event$")


def render_hooks_off(listing: bytes) -> list[str]:
    r"""Return the options of git that switch off every hook in its settings.

    Args:
        listing: What git answered to `LIST_HOOK_SETTINGS`.

    Example:
        >>> render_hooks_off(b"hook.lint=all.event\0hook.lint=all.event\0")
        ['--config-env=hook.lint=all.enabled=GITTRACK_OFF']
    """
    # By a variable, because git takes the first `=` after `-c` for the end of the key.
    names = {entry.removesuffix(b".event") for entry in listing.split(b"\0")[:-1]}
    return [f"--config-env={name.decode('utf-8', 'surrogateescape')}.enabled=GITTRACK_OFF" for name in sorted(names)]
