"""Remotes of every kind that the README names, with real servers on loopback."""

import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import boto3
import fsspec

from synset_factory import layout
from tests.external import require
from tests.small_pipeline import commit, run

# Anyone may read; only what is put there needs the password.
NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/objects;
    client_max_body_size 0;
    location / {{
      dav_methods PUT;
      create_full_put_path on;
      limit_except GET {{
        auth_basic "push";
        auth_basic_user_file {folder}/passwords;
      }}
    }}
  }}
}}
"""
# As narrow as it goes: DVC needs files of the account, no shell.
SSHD = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/key.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""
# What may be done by the one user of the S3 server.
POLICY = """{"Version": "2012-10-17",
"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"""


@dataclass(frozen=True)
class Remote:
    """A store of DVC's objects, and how it is reached with DVC and without."""

    url: str
    files: fsspec.AbstractFileSystem
    folder: str
    options: Mapping[str, str] = field(default_factory=dict)
    # What git must not have; nothing where anyone may.
    to_pull: Mapping[str, str] = field(default_factory=dict)
    to_push: Mapping[str, str] = field(default_factory=dict)

    def object(self, digest: str) -> str:
        return f"{self.folder}/files/md5/{digest[:2]}/{digest[2:]}"

    def objects(self) -> set[str]:
        return set(self.files.find(self.folder))

    def flip_a_bit(self, digest: str) -> None:
        content = bytearray(self.content(digest))
        content[1000] ^= 1
        self.replace(digest, bytes(content))

    def content(self, digest: str) -> bytes:
        content: bytes = self.files.cat_file(self.object(digest))
        return content

    def replace(self, digest: str, content: bytes) -> None:
        self.delete(digest)  # where it is a file, DVC has made it read-only
        self.files.pipe_file(self.object(digest), content)

    def delete(self, digest: str) -> None:
        self.files.rm_file(self.object(digest))


Server = Callable[[Path], AbstractContextManager[Remote]]


@contextmanager
def plain_folder(folder: Path) -> Iterator[Remote]:
    """A folder that every clone can reach."""
    yield Remote(str(folder / "objects"), fsspec.filesystem("file"), f"{folder}/objects")


@contextmanager
def nginx(folder: Path) -> Iterator[Remote]:
    """A web server from which anyone may pull, and that takes what is put there for a password."""
    program, port = require("nginx"), free_port()
    (folder / "objects").mkdir()
    (folder / "passwords").write_text("publisher:{PLAIN}a-password\n")
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers may not write here
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, user=user))
    with serving(port, folder / "log", program, "-c", str(config)):
        yield Remote(
            f"http://127.0.0.1:{port}",
            fsspec.filesystem("file"),
            f"{folder}/objects",
            to_push={
                "method": "PUT",
                "auth": "basic",
                "user": "publisher",
                "password": "a-password",
            },
        )


@contextmanager
def s3(folder: Path) -> Iterator[Remote]:
    """moto's S3, which refuses keys that it has not given away itself."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    open_requests = {"INITIAL_NO_AUTH_ACTION_COUNT": "4"}  # the four of bucket_and_keys
    moto = (sys.executable, "-m", "moto.server", "-p", str(port))
    with serving(port, folder / "log", *moto, environment=open_requests):
        keys = bucket_and_keys(address)
        files = fsspec.filesystem(
            "s3",
            key=keys["access_key_id"],
            secret=keys["secret_access_key"],
            client_kwargs={"endpoint_url": address},
            use_listings_cache=False,
        )
        options = {"endpointurl": address}
        yield Remote("s3://bucket/path", files, "bucket/path", options, to_pull=keys, to_push=keys)


def bucket_and_keys(address: str) -> dict[str, str]:
    """Make a bucket and a user who may use it; return the user's keys, as DVC calls them."""
    anyone = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    place = {"endpoint_url": address, "region_name": "us-east-1"}
    boto3.client("s3", **anyone, **place).create_bucket(Bucket="bucket")
    iam = boto3.client("iam", **anyone, **place)
    iam.create_user(UserName="user")
    iam.put_user_policy(UserName="user", PolicyName="all", PolicyDocument=POLICY)
    key = iam.create_access_key(UserName="user")["AccessKey"]
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


@contextmanager
def ssh(folder: Path) -> Iterator[Remote]:
    """OpenSSH's server, run by whoever runs the tests, who alone may log in with a key."""
    program, port = require("sshd"), free_port()
    for name in ("host_key", "key"):
        make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(make, check=True)
    if os.geteuid() == 0:  # then it insists on an empty folder, made at boot by the service
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    config = folder / "sshd_config"
    config.write_text(SSHD.format(folder=folder, port=port))
    user = pwd.getpwuid(os.geteuid()).pw_name
    with serving(port, folder / "log", program, "-D", "-e", "-f", str(config)):
        key = {"keyfile": str(folder / "key")}
        yield Remote(
            f"ssh://{user}@127.0.0.1:{port}{folder}/objects",
            fsspec.filesystem("file"),
            f"{folder}/objects",
            to_pull=key,
            to_push=key,
        )


KINDS: dict[str, Server] = {"folder": plain_folder, "http": nginx, "s3": s3, "ssh": ssh}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def serving(
    port: int, log: Path, *words: str, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server for a while, from when its port answers."""
    with log.open("wb") as out:
        server = subprocess.Popen(
            words, env=os.environ | (environment or {}), stdout=out, stderr=out
        )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()


def clone(origin: Path, folder: Path) -> Path:
    run(origin.parent, "git", "clone", "-q", str(origin), str(folder))
    return folder


def publish(made: Path, remote: Remote, folder: Path) -> Path:
    """A clone from which what was made is pushed to a remote, set up as the README says."""
    clone(made, folder)
    run(folder, "dvc", "cache", "dir", "--local", str(made / ".dvc" / "cache"))
    run(folder, "dvc", "remote", "add", "--default", "storage", remote.url)
    run(folder, "dvc", "remote", "modify", "storage", "verify", "true")
    for option, value in remote.options.items():
        run(folder, "dvc", "remote", "modify", "storage", option, value)
    keep_to_itself(folder, remote.to_push)
    commit(folder, "Remote")
    run(folder, "dvc", "push")
    return folder


def keep_to_itself(folder: Path, options: Mapping[str, str]) -> None:
    """Tell a clone what git does not know of its remote."""
    for option, value in options.items():
        run(folder, "dvc", "remote", "modify", "--local", "storage", option, value)


def tars(folder: Path) -> dict[str, str]:
    """The hash of every tar of every set, by path."""
    found = sorted((folder / layout.SHARDS).rglob("*.tar"))
    return {p.relative_to(folder).as_posix(): sha256(p.read_bytes()).hexdigest() for p in found}
