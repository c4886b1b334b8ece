"""Credentials in commands and texts are masked; ordinary arguments are not."""

from __future__ import annotations

import time

import pytest

from gittrack.secrets import looks_like_secret_file, mask_log, mask_secrets

SECRETS = [
    "--api-key=SECRET",
    "--api-key SECRET",
    "-password SECRET",
    "--hf_token=SECRET",
    "--wandb.apiKey SECRET",
    "PASSWORD=SECRET",
    "WANDB_API_KEY='SECRET'",
    "AWS_SECRET_ACCESS_KEY=SECRET",
    "--set=db.password=SECRET",
    '{"client_secret": "SECRET", "lr": 1}',
    "curl -H 'Authorization: Bearer SECRET-SECRET'",
    "curl -H 'Authorization: Basic SECRET'",
    "https://ada:SECRET@example.org/x.git",
    "https://ada:SE@SECRET@example.org/x.git",
    "https://SECRET@example.org/x.git",
    "postgresql://ada:SECRET@db/x",
    "ssh://git:SECRET@example.org/x",
    "https://example.org/x?access_token=SECRET&y=1",
    "https://example.org/x?y=1&sig=SECRET",
    "https://example.org/x?X-Amz-Signature=SECRET",
]
TOKENS = [
    "ghp_" + "a1B2" * 9,
    "gho_" + "a1B2" * 9,
    "github_pat_" + "a1B2_" * 9,
    "hf_" + "aBcD" * 8,
    "sk-" + "proj-a1B2" * 5,
    "AKIA" + "A1B2" * 4,
    "xoxb-" + "1234-" * 5 + "abc",
    "glpat-" + "a1B2" * 5,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_123",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nab==\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secret_is_masked_in_text(text: str) -> None:
    """The secret is gone from the text, a mask stands there, and masking again changes nothing."""
    masked = mask_secrets(text)
    assert "SECRET" not in masked.replace("AWS_SECRET_ACCESS_KEY", "")
    assert "***" in masked
    assert mask_secrets(masked) == masked


@pytest.mark.parametrize("token", TOKENS)
def test_well_known_token_is_masked_anywhere(token: str) -> None:
    """A token of a known shape is masked without any name beside it."""
    assert mask_secrets(f"login {token}") == "login ***"
    assert mask_secrets(["login", token]) == ["login", "***"]


@pytest.mark.parametrize("text", [*SECRETS, *TOKENS])
@pytest.mark.parametrize("is_lower", [False, True])
def test_a_log_is_masked_as_a_text_is(text: str, is_lower: bool) -> None:
    """Whichever line holds the secret, and the other lines stay as they are, byte by byte."""
    text = text.lower() if is_lower and text in SECRETS else text
    around = "step 1 \xe4 tokens/s 12\n", "\nloss\r0.5 \u0130\n"
    expected = mask_secrets(text).join(around).encode()
    assert mask_log(text.join(around).encode()) == expected
    assert mask_log(text.encode()) == mask_secrets(text).encode()
    assert mask_log(b"\xff\xfe" + text.encode() + b"\xff").startswith(b"\xff\xfe")


def test_a_large_log_is_masked_quickly() -> None:
    """Eight megabytes of ordinary lines, with words that resemble secrets, take well under ten seconds."""
    line = b"epoch 12: loss=0.123 tokens/s 1234 keys: 3 https://example.org/x?y=1 tokenizer loaded\n"
    began = time.perf_counter()
    assert mask_log(line * 100_000) == line * 100_000
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "train.py --max-tokens 512 --tokenizer bert-base --lr=0.1",
        "--pad-token '<pad>' --eos_token=</s>",
        "--num-tokens=3 model.token_dim=64",
        "git clone ssh://git@example.org/x.git git@example.org:x.git",
        "task-with-a-very-long-name-and-more hf_small https://example.org/a@b",
        "--password-file secrets/pw.txt --keys 3 monkey=1",
    ],
)
def test_ordinary_argument_is_kept(text: str) -> None:
    """Names that only resemble those of secrets, and URLs without credentials, stay as they are."""
    assert mask_secrets(text) == text
    assert mask_secrets(text.split()) == text.split()


def test_argument_after_secret_option_is_masked_whole() -> None:
    """In a list of arguments a secret may hold spaces; a flag without a value hides nothing."""
    assert mask_secrets(["x", "--password", "two words", "--password=two words"]) == [
        *("x", "--password", "***", "--password=***"),
    ]
    assert mask_secrets(("x", "--use-auth-token", "--lr", "0.1")) == ["x", "--use-auth-token", "--lr", "0.1"]


@pytest.mark.parametrize(
    "unit", ["-", "a", "-a", "http://", "a:", "eyJ", "token", "password ", "-----BEGIN PRIVATE KEY-----"]
)
def test_masking_is_linear(unit: str) -> None:
    """A long hostile text costs no more than its length."""
    started = time.process_time()
    mask_secrets(unit * (100_000 // len(unit)))
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".env",
            "a/.env.production",
            ".envrc",
            "prod.env",
            "a/tls.pem",
            "server.KEY",
            "x/id_rsa",
            "id_ed25519",
            "a.p12",
        ),
        *(".netrc", ".pypirc", ".npmrc", "credentials.json", ".aws/credentials", "home/.ssh/config", "x.kdbx", "k.pfx"),
        *("service-account-prod.json", "secrets.yaml", "win\\.env"),
    ],
)
def test_secret_file_is_recognised(path: str) -> None:
    """Files that usually hold credentials are told by name alone."""
    assert looks_like_secret_file(path)


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        ".env.sample",
        "a/.env.template",
        "environment.yml",
        "train.py",
        "keys.py",
        "id_rsa.pub",
        "monkey.png",
    ],
)
def test_harmless_file_is_not_secret(path: str) -> None:
    """Templates, public keys and ordinary code are kept in the snapshot."""
    assert not looks_like_secret_file(path)
