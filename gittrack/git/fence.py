"""What every git process is told, so that a hostile repository runs nothing and a hook's variables redirect nothing.

Only constants, so that hooks can use them without the cost of `subprocess`.
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
    # core.hooksPath does not reach the hooks that git 2.54 keeps in its settings; those of ours end at this mark.
    "GITTRACK_HOOK": "internal",
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
