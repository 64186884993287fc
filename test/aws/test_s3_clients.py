"""The tools that people use with S3: the AWS CLI, s3fs, rclone, boto3's transfers of files."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import textwrap
import time

import boto3
import pytest
import requests
from boto3.s3.transfer import TransferConfig
from conftest import unique

S3FS = pathlib.Path(sys.prefix) / "s3fs"
MB = 1 << 20


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def environment(endpoint, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_MAX_ATTEMPTS": "1", "LC_ALL": "C.UTF-8"}


def run(environment, *command, **kw):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, **kw)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def tree(tmp_path):
    """A folder with files of several sizes and names."""
    root = tmp_path / "tree"
    for name, body in {"a.txt": b"hello", "empty": b"", "sub/b c+ü.txt": b"x" * 70_000, "sub/deep/d": bytes(range(256)) * 40_000}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(body)
    return root


def content(root):
    return {str(p.relative_to(root)): hashlib.md5(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}


def keys(s3, bucket, prefix=""):
    return sorted(o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix) for o in page.get("Contents", []))


def written(s3, bucket):
    return {o["Key"]: o["LastModified"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]}


CLI = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
for line in sys.stdin:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = create_clidriver().main(json.loads(line))
    print("\\n\\x1e" + json.dumps([status, out.getvalue()]), flush=True)
"""


@pytest.fixture
def aws(environment):
    """aws(...) runs a command of the AWS CLI as its own program does, but starts Python once for all of them."""
    with subprocess.Popen([sys.executable, "-c", CLI], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        def command(*args):
            process.stdin.write(json.dumps(["s3", *args]) + "\n")
            process.stdin.flush()
            # A thread of the CLI's may still tell of its progress when the command has ended.
            answer = next(line for line in process.stdout if line.startswith("\x1e"))
            status, out = json.loads(answer[1:])
            assert status == 0, (args, out)
            return out
        yield command
        process.stdin.close()


def test_the_aws_cli(s3, aws, environment, tree, tmp_path):
    bucket = unique("bucket")
    for path in tree.rglob("*"):  # times of objects are whole seconds: a file of the same second may be newer
        os.utime(path, (time.time() - 60, time.time() - 60))
    aws("mb", f"s3://{bucket}")
    assert bucket in aws("ls")
    aws("sync", str(tree), f"s3://{bucket}/tree")
    assert keys(s3, bucket) == ["tree/" + k for k in sorted(content(tree))]
    before = written(s3, bucket)
    aws("sync", str(tree), f"s3://{bucket}/tree")
    assert written(s3, bucket) == before, "nothing has changed"
    (tree / "a.txt").unlink()
    aws("sync", "--delete", str(tree), f"s3://{bucket}/tree")
    assert "tree/a.txt" not in keys(s3, bucket)
    back = tmp_path / "back"
    aws("cp", "--recursive", f"s3://{bucket}/tree", str(back))
    assert content(back) == content(tree)
    run(environment, str(pathlib.Path(sys.executable).parent / "aws"), "s3", "cp", "-", f"s3://{bucket}/stream", input="piped")
    aws("mv", f"s3://{bucket}/stream", f"s3://{bucket}/moved ü")
    assert "moved ü" in aws("ls", f"s3://{bucket}/")
    assert "PRE tree/" in aws("ls", f"s3://{bucket}/")
    assert requests.get(aws("presign", f"s3://{bucket}/moved ü").strip()).text == "piped"
    aws("website", f"s3://{bucket}", "--index-document", "index.html")
    assert s3.get_bucket_website(Bucket=bucket)["IndexDocument"] == {"Suffix": "index.html"}
    aws("rm", "--recursive", f"s3://{bucket}")
    aws("rb", f"s3://{bucket}")
    assert bucket not in aws("ls")


S3FS_PROGRAM = """
import os, sys
import s3fs
bucket = sys.argv[1]
fs = s3fs.S3FileSystem(endpoint_url=os.environ["AWS_ENDPOINT_URL"], key="test", secret="test")
with fs.open(f"{bucket}/dir/a.txt", "w") as f:
    f.write("hello")
with fs.open(f"{bucket}/dir/big", "wb", block_size=5 << 20) as f:
    for _ in range(12):
        f.write(b"0123456789abcdef" * (1 << 16))
assert fs.size(f"{bucket}/dir/big") == 12 << 20
with fs.open(f"{bucket}/dir/big", "rb", block_size=1 << 20) as f:
    f.seek(7 << 20)
    assert f.read(4) == b"0123"
assert sorted(fs.ls(f"{bucket}/dir")) == [f"{bucket}/dir/a.txt", f"{bucket}/dir/big"]
fs.copy(f"{bucket}/dir/a.txt", f"{bucket}/copy.txt")
fs.mv(f"{bucket}/copy.txt", f"{bucket}/moved.txt")
assert fs.cat(f"{bucket}/moved.txt") == b"hello"
assert fs.find(bucket) == [f"{bucket}/dir/a.txt", f"{bucket}/dir/big", f"{bucket}/moved.txt"]
assert fs.exists(f"{bucket}/dir") and not fs.exists(f"{bucket}/none")
fs.put_tags(f"{bucket}/moved.txt", {"a": "1"})
assert fs.get_tags(f"{bucket}/moved.txt") == {"a": "1"}
fs.rm(f"{bucket}/dir", recursive=True)
assert fs.find(bucket) == [f"{bucket}/moved.txt"]
fs.touch(f"{bucket}/empty")
assert fs.info(f"{bucket}/empty")["size"] == 0
print("done")
"""


@pytest.mark.skipif(not S3FS.is_dir(), reason="s3fs is not installed: make .venv/stamp installs it")
def test_s3fs(environment, bucket):
    assert run({**environment, "PYTHONPATH": str(S3FS)}, sys.executable, "-c", textwrap.dedent(S3FS_PROGRAM), bucket).endswith("done\n")


@pytest.mark.skipif(not shutil.which("rclone"), reason="rclone is not installed: scripts/system-packages names the line that does")
def test_rclone(s3, environment, tree, tmp_path):
    bucket = unique("bucket")
    env = {**environment, "RCLONE_CONFIG_C_TYPE": "s3", "RCLONE_CONFIG_C_PROVIDER": "Other", "RCLONE_CONFIG_C_ENV_AUTH": "true",
           "RCLONE_CONFIG_C_ENDPOINT": environment["AWS_ENDPOINT_URL"], "RCLONE_CONFIG_C_REGION": "us-east-1",
           "RCLONE_CONFIG_C_FORCE_PATH_STYLE": "true", "RCLONE_S3_CHUNK_SIZE": "5M", "RCLONE_S3_UPLOAD_CUTOFF": "6M", "RCLONE_RETRIES": "1"}
    rclone = lambda *args, **kw: run(env, "rclone", *args, **kw)
    rclone("mkdir", f"c:{bucket}")
    rclone("sync", str(tree), f"c:{bucket}/tree")
    assert keys(s3, bucket) == ["tree/" + k for k in sorted(content(tree))]
    rclone("check", str(tree), f"c:{bucket}/tree")
    rclone("moveto", f"c:{bucket}/tree/a.txt", f"c:{bucket}/other/a.txt")
    assert rclone("cat", f"c:{bucket}/other/a.txt") == "hello"
    assert rclone("lsf", "-R", f"c:{bucket}/other") == "a.txt\n"
    back = tmp_path / "back"
    rclone("copy", f"c:{bucket}/tree", str(back))
    assert content(back) == {k: v for k, v in content(tree).items() if k != "a.txt"}
    rclone("rcat", f"c:{bucket}/piped", input="piped")
    assert requests.get(rclone("link", f"c:{bucket}/piped").strip()).text == "piped"
    rclone("purge", f"c:{bucket}")
    assert bucket not in rclone("lsd", "c:")


def test_transfers_of_files(s3, bucket, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(MB) * 17 + b"end")
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB, max_concurrency=4)
    s3.upload_file(str(source), bucket, "k", ExtraArgs={"ContentType": "x/y", "Metadata": {"a": "b"}}, Config=config)
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ETag"].endswith('-4"') and head["ContentType"] == "x/y" and head["Metadata"] == {"a": "b"}
    s3.download_file(bucket, "k", str(back), Config=config)
    assert back.read_bytes() == source.read_bytes()
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=config)
    assert s3.head_object(Bucket=bucket, Key="copy")["ContentLength"] == source.stat().st_size
    with source.open("rb") as f:
        s3.upload_fileobj(f, bucket, "stream", Config=config)
    assert keys(s3, bucket) == ["copy", "k", "stream"]


def test_resources(endpoint, bucket):
    """boto3's resources, which many programs use."""
    s3 = boto3.resource("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    b = s3.Bucket(bucket)
    b.put_object(Key="a", Body=b"1").Acl().load()
    assert [o.key for o in b.objects.filter(Prefix="a")] == ["a"]
    assert b.Object("a").get()["Body"].read() == b"1"
    b.objects.all().delete()
    assert list(b.objects.all()) == []
