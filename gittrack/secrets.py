"""Keep credentials out of what is recorded: the command line, URLs, error texts, and the files of a snapshot.

These are heuristics for accidents, not a proof: a secret that looks like any other word passes.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import overload

MASK = "***"

# The last word of a name whose value is secret. `--max-tokens` and `--tokenizer` go on after it; the tokens of a
# vocabulary (`--pad-token "<pad>"`) are told by the word before.
_VOCABULARY = "".join(
    f"(?<!{word}[-_.])" for word in ("pad", "eos", "bos", "unk", "cls", "sep", "mask", "start", "end", "stop", "image")
)
_SECRET_WORD = (
    r"(?:pass(?:word|wd|phrase)|passwd|pwd|credentials?|secret|(?:api|access|private|account|signing|secret)[-_.]?key|"
    rf"{_VOCABULARY}token)"
)
# Patterns are compiled when a text has the sign without which they cannot match: together they take 3 ms, which every
# script that starts a run would wait for.
_OPTION = rf"--?[\w.-]*{_SECRET_WORD}"
_ARGUMENT_ASSIGNMENT = rf"[\w.:+~@-]*{_SECRET_WORD}="

_VALUE = r"""(?:"[^"\n]*"|'[^'\n]*'|[^\s"',;&]+)"""
# The sign in small letters, the pattern, what stands for a match.
_RULES = (
    ("=", rf"({_SECRET_WORD}=){_VALUE}", rf"\1{MASK}"),
    (":", rf"({_SECRET_WORD}[\"']\s*:\s*){_VALUE}", rf"\1{MASK}"),
    ("-", rf"((?<!\S)--?[\w.-]*{_SECRET_WORD}[ \t]+)(?!-){_VALUE}", rf"\1{MASK}"),
    ("auth", r"(\bauthorization[\"']?\s*[:=]\s*(?:(?:basic|bearer|token)\s+)?)[^\s\"',;&]+", rf"\1{MASK}"),
    ("bearer", r"(\bbearer\s+)[\w.~+/=-]{8,}", rf"\1{MASK}"),
    ("=", r"([?&](?:sig|signature|x-amz-(?:signature|credential|security-token))=)[^\s\"'&]+", rf"\1{MASK}"),
    # a user's name alone is a credential only where tokens are sent so
    ("@", r"(\bhttps?://)[^/\s\"']+@", rf"\1{MASK}@"),
    ("@", r"(\b[a-z][a-z0-9+.-]{0,20}://)[^/\s:@\"']*:[^/\s\"']*@", rf"\1{MASK}@"),
)
_SHORTEST_TOKEN = len("xoxb-0123456789")
_PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----END))*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
_SHAPES = (
    r"\b(?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_\w{20,}|hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|(?:AKIA|ASIA)[0-9A-Z]{16}|"
    r"xox[abeprs]-[\w-]{10,}|glpat-[\w-]{16,}|pypi-[\w-]{32,}|npm_[A-Za-z0-9]{30,}|AIza[\w-]{30,}|"
    r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?)"
    rf"|{_PRIVATE_KEY}"
)
_KEY_BLOCK = b"PRIVATE KEY-----"
# No rule and no shape matches in a line of a log without one of these: a word with what must follow it, so that lines
# with `tokens/s` or `keys: 3` cost nothing.
_LOG_WORDS = (b"password", b"passwd", b"passphrase", b"pwd", b"credential", b"credentials", b"secret", b"key", b"token")
_LOG_SIGNS = (
    *(word + after for word in _LOG_WORDS for after in (b"=", b'"', b"'", b" ", b"\t")),
    *(b"authorization", b"bearer", b"sig=", b"signature=", b"x-amz-", b"@"),
    *(b"gho_", b"ghp_", b"ghs_", b"ghu_", b"ghr_", b"github_pat_", b"hf_", b"sk-", b"akia", b"asia", b"xox", b"glpat-"),
    *(b"pypi-", b"npm_", b"aiza", b"eyj"),
)

_HARMLESS_FILES = (".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults", "*.pub")
_SECRET_FILES = (
    *(".env*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore", "*.kdbx", "*.ovpn"),
    *(
        "id_rsa*",
        "id_dsa*",
        "id_ecdsa*",
        "id_ed25519*",
        ".netrc",
        "_netrc",
        ".pypirc",
        ".npmrc",
        ".pgpass",
        ".htpasswd",
    ),
    *(".git-credentials", ".dockercfg", ".my.cnf", "kaggle.json", "credentials*", ".credentials*"),
    *("secrets.y*ml", "secrets.json", "secrets.toml", "secrets.ini"),
    *("service-account*.json", "service_account*.json", "client_secret*.json"),
)
_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker", ".gcloud", ".password-store"})


@overload
def mask_secrets(command: str) -> str: ...
@overload
def mask_secrets(command: list[str] | tuple[str, ...]) -> list[str]: ...
def mask_secrets(command: str | list[str] | tuple[str, ...]) -> str | list[str]:
    """Replace what looks like a credential by ``***``.

    Masked are the values of options, variables and JSON keys whose names end in password, token, secret, api-key and
    the like, the credentials in URLs, ``Authorization`` headers, and tokens of well known shapes.

    Args:
        command: A text, or the arguments of a command.

    Returns:
        The same form with the credentials replaced.

    Example:
        >>> mask_secrets(["train.py", "--api-key", "s3cret", "--max-tokens", "512"])
        ['train.py', '--api-key', '***', '--max-tokens', '512']
        >>> mask_secrets("git clone https://ada:s3cret@example.org/data.git")
        'git clone https://***@example.org/data.git'
    """
    return _mask_text(command) if isinstance(command, str) else _mask_arguments(command)


def mask_log(data: bytes) -> bytes:
    r"""Replace what looks like a credential in the output of a program by ``***``.

    As `mask_secrets`, on megabytes: only the lines that hold a word of a credential are looked at.

    Args:
        data: The output, in any encoding that keeps ASCII.

    Returns:
        The same with the credentials replaced.

    Example:
        >>> mask_log(b"step 1\ntoken=s3cret\nloss 0.5\n")
        b'step 1\ntoken=***\nloss 0.5\n'
    """
    if _KEY_BLOCK in data:
        data = _mask_bytes(data, _PRIVATE_KEY)
    lowered = data.lower()  # of bytes: ASCII alone, so that places stay the same
    lines: dict[int, int] = {}
    for sign in _LOG_SIGNS:
        at = lowered.find(sign)
        while at >= 0:
            end = lowered.find(b"\n", at)
            end = len(data) if end < 0 else end
            lines[lowered.rfind(b"\n", 0, at) + 1] = end
            at = lowered.find(sign, end)
    parts, done = [], 0
    for start, end in sorted(lines.items()):
        line = data[start:end].decode("utf-8", "surrogateescape")
        parts += [data[done:start], _mask_text(line).encode("utf-8", "surrogateescape")]
        done = end
    return b"".join((*parts, data[done:]))


def looks_like_secret_file(path: str) -> bool:
    r"""Tell whether a file, by its name, probably holds credentials.

    Args:
        path: A path with ``/`` or ``\`` between its components.

    Returns:
        True for ``.env`` files, private keys, key stores and the credential files of common programs; False for their
        templates (``.env.example``) and public keys.

    Example:
        >>> looks_like_secret_file("deploy/.env.production"), looks_like_secret_file(".env.example")
        (True, False)
    """
    *folders, name = path.replace("\\", "/").casefold().split("/")
    if any(fnmatchcase(name, pattern) for pattern in _HARMLESS_FILES):
        return False
    return not _SECRET_FOLDERS.isdisjoint(folders) or any(fnmatchcase(name, pattern) for pattern in _SECRET_FILES)


def _mask_arguments(arguments: list[str] | tuple[str, ...]) -> list[str]:
    masked: list[str] = []
    after_option = False
    for argument in arguments:
        # an option follows a flag that has no value, such as `--use-auth-token --lr 0.1`
        if after_option and not argument.startswith("--"):
            masked.append(MASK)
        elif "=" in argument and (assignment := re.match(_ARGUMENT_ASSIGNMENT, argument, re.IGNORECASE)):
            masked.append(assignment[0] + MASK)
        else:
            masked.append(_mask_text(argument))
        after_option = argument.startswith("-") and re.fullmatch(_OPTION, argument, re.IGNORECASE) is not None
    return masked


def _mask_bytes(data: bytes, pattern: str) -> bytes:
    return re.sub(pattern.encode(), MASK.encode(), data)


def _mask_text(text: str) -> str:
    lowered = text.lower()
    for sign, pattern, replacement in _RULES:
        if sign in lowered:
            text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    return text if len(text) < _SHORTEST_TOKEN else re.sub(_SHAPES, MASK, text)
