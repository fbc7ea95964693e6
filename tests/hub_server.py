"""A hub on loopback: as much of the Hugging Face hub's HTTP as its client asks for a model."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """Repositories, folders at one commit each, and what was asked of them."""

    repositories: dict[str, Path]  # organisation/name: folder
    commit: str
    branches: tuple[str, ...] = ("main",)
    gated: set[str] = field(default_factory=set)  # repositories
    failing: set[str] = field(default_factory=set)  # files that are answered with an error
    wrong_digests: set[str] = field(default_factory=set)  # files whose SHA-256 is told wrong
    sent: list[str] = field(default_factory=list)  # files, in the order they were asked for
    url: str = ""

    def info(self, repository: str) -> dict[str, object]:
        siblings = []
        for path in sorted(p for p in self.repositories[repository].rglob("*") if p.is_file()):
            content, name = path.read_bytes(), self.name(repository, path)
            entry: dict[str, object] = {"rfilename": name, "size": len(content)}
            if is_large(name):
                digest = sha256(content).hexdigest()
                told = digest[::-1] if name in self.wrong_digests else digest
                entry["lfs"] = {"sha256": told, "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {"id": repository, "modelId": repository, "sha": self.commit, "siblings": siblings}

    def name(self, repository: str, path: Path) -> str:
        return path.relative_to(self.repositories[repository]).as_posix()


def is_large(name: str) -> bool:
    """Tell whether the hub keeps a file in its store of large ones."""
    return name.endswith((".safetensors", ".bin", ".ckpt"))


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve on a free port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def _answer(self, *, with_body: bool) -> None:
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                self._api("/".join(parts[2:4]), parts[4], parts[5:])
            elif parts[0] == "api":
                self._fail(404, "EntryNotFound")  # whatever else the client would like to know
            else:
                self._file("/".join(parts[:2]), "/".join(parts[4:]), with_body)

        def _api(self, repository: str, kind: str, rest: list[str]) -> None:
            if repository not in hub.repositories:
                self._fail(404, "RepoNotFound")
            elif repository in hub.gated:
                self._fail(403, "GatedRepo")
            elif rest[0] not in (hub.commit, *hub.branches):
                self._fail(404, "RevisionNotFound")
            elif kind == "tree":
                root = hub.repositories[repository]
                files = [
                    {
                        "type": "file",
                        "path": (name := hub.name(repository, path)),
                        "size": path.stat().st_size,
                        "oid": sha1(name.encode()).hexdigest(),
                    }
                    for path in sorted(root.rglob("*"))
                    if path.is_file()
                ]
                self._send(200, json.dumps(files).encode(), {})
            else:
                self._send(200, json.dumps(hub.info(repository)).encode(), {})

        def _file(self, repository: str, name: str, with_body: bool) -> None:
            content = (hub.repositories[repository] / name).read_bytes()
            digest = sha256(content).hexdigest() if is_large(name) else sha1(content).hexdigest()
            headers = {"ETag": f'"{digest}"', "X-Repo-Commit": hub.commit}
            if with_body:
                hub.sent.append(name)
            if with_body and name in hub.failing:
                self._fail(404, "EntryNotFound")
                return
            self._send(200, content, headers)

        def _fail(self, status: int, code: str) -> None:
            self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
