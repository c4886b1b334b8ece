"""Git LFS as storage: the map in a ref, credentials, tokens over ssh, and servers that answer nonsense."""

from __future__ import annotations

import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from gittrack.artifacts.digest import Digest, hash_bytes
from gittrack.git.credentials import Credentials
from gittrack.storage.lfs import LfsBackend
from gittrack.storage.lfs_batch import LfsServer, parse_answer
from gittrack.storage.lfs_map import DamagedMapError, LfsMap, LfsName
from gittrack.storage.objectwise import ObjectwiseStorage
from gittrack.storage.protocol import StorageError
from gittrack.storage.retries import Retries, TransientError
from tests.support.git_repository import open_repository, run_git
from tests.support.object_server import serve_objects
from tests.support.parcels import add_file, add_folder, find_faults, make_cache, read_folder
from tests.support.remotes import PASSWORD, USER, make_pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from gittrack.git.repository import Repository
    from tests.support.remotes import Pair

NAME = LfsName("a" * 64, 3)
LOGIN = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class LfsFake:
    """A server of the batch API whose answers a test can choose; the objects are on a server beside it.

    Attributes:
        url: Its address.
        login: The header that it wants; None for none.
        answer: Makes the answer to a batch request from the question.
        verified: What was confirmed.
        questions: The batch requests that came.
    """

    def __init__(self, objects_url: str, objects: dict[str, bytes]) -> None:
        self.login: str | None = None
        self.status: int | None = None
        self.answer: Callable[[dict[str, Any]], Any] = self.answer_well
        self.verified: list[dict[str, Any]] = []
        self.questions: list[dict[str, Any]] = []
        self.extra: dict[str, Any] = {}
        self._objects_url = objects_url
        self._objects = objects
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                fake.handle(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the standard library's name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        question = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        status, answer = 200, b"{}"
        if self.login is not None and request.headers.get("Authorization") != self.login:
            status, answer = 401, b'{"message": "Credentials needed"}'
        elif self.status is not None:
            status, answer = self.status, b'{"message": "no bandwidth left"}'
        elif request.path.endswith("/verify"):
            self.verified.append(question)
        else:
            self.questions.append(question)
            made = self.answer(question)
            answer = made if isinstance(made, bytes) else json.dumps(made).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def answer_well(self, question: dict[str, Any]) -> dict[str, Any]:
        return {"transfer": "basic", "objects": [self._entry(question["operation"], o) for o in question["objects"]]}

    def _entry(self, operation: str, item: dict[str, Any]) -> dict[str, Any]:
        is_there = f"lfs/{item['oid']}" in self._objects
        action = {"href": f"{self._objects_url}/lfs/{item['oid']}", "header": {"X-Token": "t"}, **self.extra}
        if operation == "download":
            error = {"error": {"code": 404, "message": "no such object"}}
            return {**item, "actions": {"download": action}} if is_there else {**item, **error}
        verify = {"href": f"{self.url}/verify", "header": {"Authorization": self.login} if self.login else {}}
        return item if is_there else {**item, "actions": {"upload": action, "verify": verify}}


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two clones of one remote."""
    return make_pair(tmp_path / "pair")


@pytest.fixture
def fake(pair: Pair) -> Iterator[LfsFake]:
    """A Git LFS server that both clones are told of."""
    with serve_objects() as objects:
        fake = LfsFake(objects.url, objects.objects)
        for repository in (pair.ada, pair.bob):
            run_git("config", "lfs.url", fake.url, cwd=repository.require_work_tree())
        try:
            yield fake
        finally:
            fake.close()


def open_lfs(repository: Repository, retries: Retries | None = None) -> ObjectwiseStorage:
    server = LfsServer(repository, "origin", Credentials(repository), lambda _: None)
    retries = retries or Retries(sleep=lambda _: None)
    return ObjectwiseStorage(LfsBackend("origin (Git LFS)", server, LfsMap(repository, "origin"), retries))


def put_map(pair: Pair, content: str) -> None:
    """Push a map with one file, whatever it holds."""
    top = pair.ada.require_work_tree()
    blob = run_git("hash-object", "-w", "--stdin", cwd=top, input=content)
    folder = run_git("mktree", cwd=top, input=f"100644 blob {blob}\taa\n")
    tree = run_git("mktree", cwd=top, input=f"040000 tree {folder}\tmap\n")
    commit = run_git("commit-tree", "-m", "x", tree, cwd=top)
    run_git("push", "-q", "origin", f"+{commit}:refs/gittrack/lfs", cwd=top)


def test_the_map_is_kept_in_git(pair: Pair) -> None:
    """What one clone adds another one reads, after a fetch of one ref; plain git shows it."""
    digest = Digest("aa" + "0" * 62)
    LfsMap(pair.ada, "origin").publish({digest: NAME})
    other = LfsMap(pair.bob, "origin")
    other.fetch()
    assert other.look_up([digest, Digest("b" * 64)]) == {digest: NAME}
    shown = run_git("show", "refs/gittrack/lfs:map/aa", cwd=pair.remote)
    assert shown == f"{digest} {NAME.sha256} {NAME.size}"


def test_nobody_loses_what_others_add_at_the_same_time(pair: Pair) -> None:
    """Clones that publish at once all get their entries in, file by file and line by line."""
    maps = [LfsMap(repository, "origin") for repository in (pair.ada, pair.bob)]
    all_names = [
        {Digest(f"{number % 4:02x}{who}" + f"{number:061x}"): LfsName("b" * 64, number) for number in range(12)}
        for who in range(2)
    ]

    def publish_all(who: int) -> None:
        for digest, name in all_names[who].items():
            maps[who].publish({digest: name})

    threads = [threading.Thread(target=publish_all, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    maps[0].fetch()
    everything = {**all_names[0], **all_names[1]}
    assert maps[0].look_up(everything) == everything


def test_a_map_that_is_known_is_not_pushed_again(pair: Pair) -> None:
    """Publishing the same entries changes nothing."""
    names = {Digest("c" * 64): NAME}
    LfsMap(pair.ada, "origin").publish(names)
    before = run_git("rev-parse", "refs/gittrack/lfs", cwd=pair.remote)
    LfsMap(pair.bob, "origin").publish(names)
    assert run_git("rev-parse", "refs/gittrack/lfs", cwd=pair.remote) == before


def test_a_hostile_map_is_refused(pair: Pair) -> None:
    """A line of another form is an error, not a guess; and it is not built upon."""
    put_map(pair, "../../etc/passwd\n")
    names = LfsMap(pair.bob, "origin")
    names.fetch()
    with pytest.raises(DamagedMapError):
        names.look_up([Digest("aa" + "0" * 62)])
    with pytest.raises(DamagedMapError):
        names.publish({Digest("aa" + "0" * 62): NAME})


@pytest.mark.usefixtures("fake")
def test_a_map_that_names_another_object_is_found_out(pair: Pair, tmp_path: Path) -> None:
    """A forged entry leads to bytes that are not those of the artifact, and these are refused."""
    cache, other = make_cache(tmp_path / "a"), make_cache(tmp_path / "b")
    storage = open_lfs(pair.ada)
    right, wrong = add_file(cache, b"right"), add_file(cache, b"wrong")
    storage.send([wrong], cache)
    names = LfsMap(pair.ada, "origin")
    names.fetch()
    names.publish({right.digest: names.look_up([wrong.digest])[wrong.digest]})
    with pytest.raises(StorageError, match="served something else"):
        open_lfs(pair.bob).fetch([right], other)
    assert list(other.list_digests()) == []
    names.publish({Digest("d" * 64): LfsName("b" * 64, 999)})
    with pytest.raises(StorageError, match="999 bytes"):
        open_lfs(pair.bob).find_absent([right._replace(digest=Digest("d" * 64))])


def test_artifacts_travel_and_are_verified(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """Objects go to the address and with the headers of the server, and each is confirmed."""
    ada, bob = make_cache(tmp_path / "a"), make_cache(tmp_path / "b")
    folder = add_folder(ada, {"x": b"1", "y": b"22"})
    open_lfs(pair.ada).send([folder], ada)
    assert len(fake.verified) == 3
    assert open_lfs(pair.bob).fetch([folder], bob) == []
    assert read_folder(bob, folder) == {"x": b"1", "y": b"22"}


def test_objects_are_asked_for_by_the_hundred(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """No request names more than a hundred objects."""
    ada, bob = make_cache(tmp_path / "a"), make_cache(tmp_path / "b")
    folder = add_folder(ada, {str(number): b"%d" % number for number in range(250)})
    open_lfs(pair.ada).send([folder], ada)
    assert open_lfs(pair.bob).fetch([folder], bob) == []
    sizes = [len(question["objects"]) for question in fake.questions]
    assert max(sizes) == 100
    assert sum(sizes) < 800


def test_credentials_are_asked_for_once_and_kept(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """The server asks, git's helper answers, once for all threads, and is told that it was right."""
    fake.login = LOGIN
    log = tmp_path / "log"
    helper = f"!f() {{ echo $1 >> '{log}'; test $1 = get && echo username={USER} && echo password={PASSWORD}; }}; f"
    run_git("config", "credential.helper", helper, cwd=pair.ada.require_work_tree())
    cache = make_cache(tmp_path / "a")
    folder = add_folder(cache, {str(number): b"%d" % number for number in range(120)})
    open_lfs(pair.ada).send([folder], cache)
    assert log.read_text(encoding="utf-8").split() == ["get", "store"]


def test_wrong_credentials_are_an_error_and_forgotten(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """The helper is told, the person is told, and the password is shown to nobody."""
    fake.login = "Basic other"
    log = tmp_path / "log"
    helper = f"!f() {{ echo $1 >> '{log}'; test $1 = get && echo username=x && echo password=hunter2; }}; f"
    run_git("config", "credential.helper", helper, cwd=pair.ada.require_work_tree())
    cache = make_cache(tmp_path / "a")
    with pytest.raises(StorageError, match=r"401.*Credentials needed") as caught:
        open_lfs(pair.ada).send([add_file(cache, b"1")], cache)
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    assert log.read_text(encoding="utf-8").split() == ["get", "erase"]


def test_the_header_of_the_git_settings_is_sent(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """CI systems log in by http.<url>.extraHeader."""
    fake.login = "bearer token"
    top = pair.ada.require_work_tree()
    run_git("config", f"http.{fake.url}/.extraheader", "AUTHORIZATION: bearer token", cwd=top)
    cache = make_cache(tmp_path / "a")
    open_lfs(pair.ada).send([add_file(cache, b"1")], cache)
    assert len(fake.verified) == 1


def test_a_token_comes_over_ssh(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """An ssh remote is asked by git-lfs-authenticate for the address and a header, once per operation."""
    fake.login = "RemoteAuth token"
    top = pair.ada.require_work_tree()
    run_git("config", "--unset", "lfs.url", cwd=top)
    run_git("remote", "add", "hub", "git@example.org:team/line.git", cwd=top)
    answer = {"href": fake.url, "header": {"Authorization": "RemoteAuth token"}, "expires_in": 3600}
    program = tmp_path / "ssh"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'log')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"print({json.dumps(answer)!r})\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    repository = open_repository(top, GIT_SSH_COMMAND=str(program))
    server = LfsServer(repository, "hub", None, lambda _: None)
    backend = LfsBackend("hub", server, LfsMap(repository, "origin"), Retries(sleep=lambda _: None))
    cache = make_cache(tmp_path / "a")
    parcels = [add_file(cache, b"1"), add_file(cache, b"2")]
    ObjectwiseStorage(backend).send(parcels, cache)
    assert ObjectwiseStorage(backend).find_absent(parcels) == []
    calls = sorted((tmp_path / "log").read_text(encoding="utf-8").splitlines())
    assert calls == [f"git@example.org git-lfs-authenticate team/line.git {verb}" for verb in ("download", "upload")]


def test_an_address_that_has_ended_is_asked_for_again(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """A batch takes long; what the server allowed for a moment only is renewed before it is used."""
    fake.extra = {"expires_in": 1}
    cache = make_cache(tmp_path / "a")
    open_lfs(pair.ada).send([add_file(cache, b"1"), add_file(cache, b"2")], cache)
    assert len([question for question in fake.questions if question["operation"] == "upload"]) == 3


@pytest.mark.parametrize(
    ("status", "n_tries"), [(403, 1), (406, 1), (413, 1), (422, 1), (501, 1), (507, 1), (429, 5), (503, 5)]
)
def test_refusals_are_told_in_the_words_of_the_server(
    pair: Pair, fake: LfsFake, tmp_path: Path, status: int, n_tries: int
) -> None:
    """Status and message are shown; what may pass is tried again, a bounded number of times."""
    fake.status = status
    waits: list[float] = []
    cache = make_cache(tmp_path / "a")
    with pytest.raises(StorageError, match=f"{status}.*no bandwidth left"):
        open_lfs(pair.ada, Retries(sleep=waits.append, first_wait_s=0.1)).send([add_file(cache, b"1")], cache)
    assert (len(waits) > 0) == (n_tries > 1)
    assert "refs/gittrack/lfs" not in run_git("for-each-ref", cwd=pair.remote)


NONSENSE: list[Any] = [
    b"",
    b"<html>",
    b"[]",
    b"{}",
    b'{"objects": {}}',
    b'{"objects": []}',
    b"[" * 100_000,
    {"transfer": "tus", "objects": []},
    {"objects": [{"oid": "a" * 64, "actions": []}]},
    {"objects": [{"oid": "a" * 64, "actions": {"download": {}, "upload": {}}}]},
    {"objects": [{"oid": "a" * 64, "actions": {"download": {"href": 1}, "upload": {"href": 1}}}]},
    {
        "objects": [
            {
                "oid": "a" * 64,
                "actions": {w: {"href": "http://h", "header": {"a\r\nb": "c"}} for w in ("download", "upload")},
            }
        ]
    },
    {
        "objects": [
            {
                "oid": "a" * 64,
                "actions": {w: {"href": "http://h", "header": {"a": "c\r\nd"}} for w in ("download", "upload")},
            }
        ]
    },
    {
        "objects": [
            {"oid": "a" * 64, "actions": {w: {"href": "http://h", "header": [1]} for w in ("download", "upload")}}
        ]
    },
]


@pytest.mark.parametrize("answer", NONSENSE)
@pytest.mark.parametrize("operation", ["download", "upload"])
def test_nonsense_is_refused(answer: Any, operation: Any) -> None:
    """An answer in another form is an error and nothing else."""
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    if b'"actions": []' in data and operation == "upload":
        return  # no action: the server has it
    with pytest.raises(ValueError):  # noqa: PT011  any reason
        parse_answer(data, operation, {"a" * 64})


def test_faults_of_single_objects() -> None:
    """Absent on download, else the server's words; and what may pass is told apart."""

    def answer(code: object) -> bytes:
        return json.dumps({"objects": [{"oid": "a" * 64, "error": {"code": code, "message": "sorry"}}]}).encode()

    for code in (404, 410):
        assert not parse_answer(answer(code), "download", {"a" * 64})["a" * 64].is_there
    with pytest.raises(StorageError, match="404 sorry"):
        parse_answer(answer(404), "upload", {"a" * 64})
    with pytest.raises(TransientError, match="503 sorry"):
        parse_answer(answer(503), "upload", {"a" * 64})
    with pytest.raises(StorageError, match="'x' sorry"):
        parse_answer(answer("x"), "download", {"a" * 64})


@pytest.mark.parametrize(
    "href", ["file:///etc/passwd", "http://example.org/x", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/"]
)
def test_addresses_that_must_not_be_used(pair: Pair, fake: LfsFake, tmp_path: Path, href: str) -> None:
    """A server cannot send us to a file, to another protocol or over an open line."""
    fake.extra = {"href": href}
    cache = make_cache(tmp_path / "a")
    with pytest.raises(StorageError):
        open_lfs(pair.ada).send([add_file(cache, b"1")], cache)


def test_a_committed_server_is_used_only_when_accepted(pair: Pair, fake: LfsFake, tmp_path: Path) -> None:
    """Where only .lfsconfig names the server, the person is asked first."""
    top = pair.ada.require_work_tree()
    run_git("config", "--unset", "lfs.url", cwd=top)
    run_git("config", "--file", ".lfsconfig", "lfs.url", fake.url, cwd=top)
    asked: list[str] = []

    def refuse(url: str) -> None:
        asked.append(url)
        raise StorageError("not accepted")

    backend = LfsBackend("x", LfsServer(pair.ada, "origin", None, refuse), LfsMap(pair.ada, "origin"))
    cache = make_cache(tmp_path / "a")
    with pytest.raises(StorageError, match="not accepted"):
        ObjectwiseStorage(backend).send([add_file(cache, b"1")], cache)
    assert asked == [fake.url]
    assert fake.questions == []


@pytest.mark.usefixtures("fake")
def test_a_remote_that_cannot_be_reached_is_a_storage_error(pair: Pair, tmp_path: Path) -> None:
    """The map cannot be fetched; the error is one of storages."""
    pair.remote.rename(tmp_path / "gone")
    with pytest.raises(StorageError, match="git fetch failed"):
        open_lfs(pair.ada).find_absent([add_file(make_cache(tmp_path / "a"), b"1")])


def test_a_killed_push_costs_no_second_upload(
    pair: Pair, fake: LfsFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects that had arrived before the map was pushed are not sent again, only named."""
    cache, bob = make_cache(tmp_path / "a"), make_cache(tmp_path / "b")
    parcel = add_file(cache, b"1")
    monkeypatch.setattr(LfsMap, "publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        open_lfs(pair.ada).send([parcel], cache)
    monkeypatch.undo()
    assert open_lfs(pair.bob).find_absent([parcel]) == [parcel]
    open_lfs(pair.ada).send([parcel], cache)
    assert len(fake.verified) == 1
    assert open_lfs(pair.bob).fetch([parcel], bob) == []
    assert bob.read(parcel.digest, 9) == b"1"
    assert find_faults(bob) == []
    assert hash_bytes(b"1") == parcel.digest
