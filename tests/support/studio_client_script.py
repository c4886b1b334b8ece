"""Calls of `dvc_studio_client`, made up by chance, and what comes of them: results, log messages, output, requests.

To record them anew, in an environment with the client and without gittrack, from the top of the repository:

    python -m tests.support.studio_client_script tests/data/dvc-studio-client-0.23.0.json
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import random
import sys
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.support.live_server import live_server

if TYPE_CHECKING:
    from tests.support.live_server import LiveServer

ADDRESS = "http://receiver"  # in a case, for that of the receiver
_SHA = "a" * 40
_LOGIN = {
    "device_code": "dev-1",
    "user_code": "USER-1",
    "verification_uri": "http://login/",
    "token_uri": f"{ADDRESS}/token",
    "token_name": "lively",
    "expires_in": 60,
}
_PENDING: tuple[int, Any] = (400, {"detail": "authorization_pending"})
_POLLS: list[tuple[int, Any]] = [
    (200, {"access_token": "isat_1"}),
    (200, {}),
    (200, "<html>"),
    (400, {"detail": "authorization_expired"}),
    (400, {"detail": "other"}),
    (400, ""),
    (302, {"access_token": "isat_2"}),
    (429, {"detail": "authorization_pending"}),
    (401, {"detail": "no"}),
    (500, ""),
]
_FILES: list[Any] = [
    None, 1, "x", [], {}, {"f": {}}, {"f": 1}, {"f": {"a": 1}}, {"f": {"data": {"a": 0.5}}}, {"f": {"data": []}},
    {"f": {"data": [{"step": 1}]}}, {"f": {"data": [1]}}, {"f": {"image": "aGk="}}, {"f": {"image": 1}},
    {"f": {"data": [], "image": ""}}, {"f": {"data": [{}], "props": 1}}, {"f": {"error": {"cls": "a"}}},
    {"f": {"data": {}, "error": {"cls": 1, "text": "b", "more": 2}}}, {"f": {"data": [{"v": float("nan")}]}},
    {"f": {"data": ["x" * 530]}}, {"ü/f": {"data": [{"v": "ü"}]}, "g": 5},
]  # fmt: skip


def make_cases(seed: int = 1) -> list[dict[str, Any]]:
    """Return cases: module, function, arguments, the environment, and the answers of the receiver."""
    chance = random.Random(seed)

    def some(share: float, **choices: list[Any]) -> dict[str, Any]:
        return {name: chance.choice(values) for name, values in choices.items() if chance.random() < share}

    cases: list[dict[str, Any]] = []

    def add(module: str, function: str, *answers: Any, env: dict[str, str] | None = None, **arguments: Any) -> None:
        cases.append({"of": [module, function], "arguments": arguments, "answers": answers, "env": env or {}})

    texts = ["", "a", "yes", "0", "no", "False", "http://y"]
    for _ in range(25):
        names = ("DVC_STUDIO_OFFLINE", "DVC_STUDIO_TOKEN", "STUDIO_TOKEN", "DVC_STUDIO_REPO_URL", "DVC_STUDIO_URL")
        section = some(0.4, **{name: [*texts, None, True, 0] for name in ("offline", "token", "url", "repo_url")})
        given = some(0.3, offline=[False, True, ""], studio_token=texts, studio_repo_url=texts, studio_url=texts)
        env = some(0.3, **dict.fromkeys(names, texts))
        add("config", "get_studio_config", env=env, dvc_studio_config=section, **given)
        wishes = some(
            0.3, token_name=["", "n"], team_names=[[], ["a", "b"]], all_teams=[True, False], expires_in_days=[0, 7]
        )
        wishes |= some(0.3, never_expires=[True, False])
        url = chance.choice([ADDRESS, f"{ADDRESS}/", f"{ADDRESS}/sub", f"{ADDRESS}/sub/"])
        began = chance.choice([(200, _LOGIN)] * 4 + [(404, "no"), (500, ""), (200, "<html>"), (200, {}), (307, "")])
        polls = [_PENDING] * chance.randrange(3) + [chance.choice(_POLLS)]
        scopes = some(0.5, scopes=[["MODELS", "datasets"], ["wrong", "models", "bad"], []])
        add("auth", "start_device_login", began, client_name="c", base_url=url, **wishes, **scopes)
        add("auth", "check_token_authentication", *polls, uri=f"{ADDRESS}/token", device_code="dev-1")
        scopes = some(0.5, scopes=["", "experiments,MODELS", "wrong, models"], client_name=["z"])
        how = some(0.4, open_browser=[True, False], use_device_code=[True, False], post_login_message=["", "hello"])
        add("auth", "get_access_token", began, *polls, hostname=url, **wishes, **scopes, **how)
        target = {"studio_token": "t", "studio_repo_url": "r", "studio_url": url}
        which = some(0.4, version=["", "v1.0"], stage=["", "a b/ü"])
        answer = chance.choice(
            [(200, {"m": "http://x"}), (404, "none"), (500, "für"), (201, {}), (302, ""), (200, "x")]
        )
        model = {"repo": "git@h:x", "name": "a:b/ü", **which, **target, **some(0.1, studio_token=[""])}
        add("model_registry", "get_download_uris", answer, **model)
        for _ in range(3):
            event = {
                "event_type": chance.choice(["start", "data", "data", "done", "done", "interrupt"]),
                "baseline_sha": chance.choice([_SHA] * 6 + ["A" * 40, "h" * 40, "x", _SHA + "a", None, 5]),
                "name": chance.choice(["fox"] * 5 + [None, "", 5]),
                "client": chance.choice(["dvc"] * 5 + [None]),
                **some(0.3, metrics=_FILES, params=_FILES, plots=[file for file in _FILES if file != {"f": {}}]),
                **some(0.3, machine=[{"cpu": 1}, 5], message=["é" * 80, ""], subdir=["s", 5]),
                **some(0.8, step=[0, 1, 1.5, True, "1"]),
                **some(0.3, experiment_rev=["b" * 40, "B" * 40, "x", 7]),
            }
            replies = [chance.choice([(200, "")] * 5 + [(200, "ok"), (201, ""), (400, "bad"), (500, "")])] * 2
            env = some(0.1, STUDIO_ENDPOINT=["x/y", "/abs", ""])
            add("post_live_metrics", "post_live_metrics", *replies, env=env, **event, **target)
    return cases


def play(package: str, case: dict[str, Any], receiver: LiveServer) -> dict[str, Any]:
    """Return what comes of a case: ``result``, ``logs``, ``output``, ``requests``, addresses that were ``opened``."""
    module, function = case["of"]
    importlib.import_module(f"{package}.config").get_studio_repo_url.cache_clear()
    call = getattr(importlib.import_module(f"{package}.{module}"), function)
    logger, logs, opened = logging.getLogger("dvc_studio_client"), [], []
    handler, level = logging.Handler(logging.DEBUG), logger.level
    handler.emit = lambda record: logs.append([record.levelname, record.getMessage()])  # type: ignore[method-assign]

    def note_address(url: str) -> bool:
        opened.append(url)
        return False

    receiver.requests.clear()
    receiver.replies = [
        (status, (text if isinstance(text, str) else json.dumps(text)).replace(ADDRESS, receiver.url).encode())
        for status, text in case["answers"]
    ]
    receiver.answer_headers = {"Location": "/other"}
    arguments = json.loads(json.dumps(case["arguments"]).replace(ADDRESS, receiver.url))
    out = io.StringIO()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with (
            patch.dict(os.environ, case["env"]),
            patch.object(time, "sleep"),
            patch.object(webbrowser, "open", note_address),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(out),
        ):
            result = ["returns", call(**arguments)]
    except Exception as error:  # noqa: BLE001  whatever it is, it is compared
        result = ["raises", type(error).__name__, str(error)]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    requests = [
        [request.method, request.path, request.headers.get("authorization"), request.body]
        for request in receiver.requests
    ]
    told = {"result": result, "logs": logs, "output": out.getvalue(), "requests": requests, "opened": opened}
    return json.loads(json.dumps(told).replace(receiver.url, ADDRESS))  # type: ignore[no-any-return]


def main() -> None:
    """Record what the original does."""
    for name in [name for name in os.environ if "STUDIO" in name]:
        del os.environ[name]
    logging.getLogger("dvc_studio_client").propagate = False
    with live_server() as receiver:
        recorded = [{**case, **play("dvc_studio_client", case, receiver)} for case in make_cases()]
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in recorded)
    Path(sys.argv[1]).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
