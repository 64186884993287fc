"""The platform on a small disk that becomes full: clear errors, nothing lost, and on it goes when there is room."""
import os
import signal
import subprocess

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import eventually, make_client

BODY = os.urandom(300_000).hex()


@pytest.fixture
def small(tmp_path):
    """A directory on a disk of its own, of 256 MiB."""
    where = tmp_path / "small"
    where.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", where], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def until_full(write):
    """Writes until there is no room; what was acknowledged, and the error."""
    done = []
    while True:
        try:
            done.append(write(len(done)))
        except ClientError as e:
            return done, e.response
        assert len(done) < 2000, "the disk does not become full"


def refused(response, where):
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert response["Error"]["Code"] == "ServiceUnavailable"
    assert str(where) in response["Error"]["Message"]


def eventually_writes(write):
    """Writes as soon as there is room."""
    def attempt():
        try:
            return write(0)
        except ClientError as e:
            assert e.response["Error"]["Code"] == "ServiceUnavailable"
    return eventually(attempt)


def test_queue_on_a_full_disk(small):
    with Cirro(small / "data", "--pool-memory", "0") as platform:
        sqs = make_client(platform.url, "sqs")
        queue = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]

        def send(n):
            return sqs.send_message(QueueUrl=queue, MessageBody=BODY)["MessageId"]

        sent, error = until_full(send)
        refused(error, small)
        received = {}
        while len(received) < len(sent):
            messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)["Messages"]
            for m in messages:
                assert m["Body"] == BODY
                received[m["MessageId"]] = m["ReceiptHandle"]
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=m["ReceiptHandle"])
        assert set(received) == set(sent)
        again = eventually_writes(send)
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
        assert [m["MessageId"] for m in messages] == [again]


def test_disk_filled_by_another(small):
    other = small / "other"
    with Cirro(small / "data", "--pool-memory", "0") as platform:
        sqs, s3 = make_client(platform.url, "sqs"), make_client(platform.url, "s3")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        s3.create_bucket(Bucket="bodies")
        s3.put_object(Bucket="bodies", Key="before", Body=BODY)
        sent = sqs.send_message(QueueUrl=queue, MessageBody="before")["MessageId"]
        with open(other, "wb") as f:
            with pytest.raises(OSError):
                while True:
                    f.write(b"x" * 65536)
                    f.flush()
        for write in (lambda _: sqs.send_message(QueueUrl=queue, MessageBody="during"),
                      lambda _: s3.put_object(Bucket="bodies", Key="during", Body=BODY)):
            _, error = until_full(write)
            refused(error, small)
        assert s3.get_object(Bucket="bodies", Key="before")["Body"].read() == BODY.encode()
        other.unlink()
        eventually_writes(lambda _: s3.put_object(Bucket="bodies", Key="after", Body=BODY))
        after = eventually_writes(lambda _: sqs.send_message(QueueUrl=queue, MessageBody="after"))["MessageId"]
        platform.restart(signal.SIGKILL)
        sqs = make_client(platform.url, "sqs")
        ids = []
        while len(ids) < 2:
            ids += [m["MessageId"] for m in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])]
        assert {sent, after} <= set(ids)
