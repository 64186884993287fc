"""SNS side by side: Cirro and goaws publish to topics with no, one and a hundred queues. Cirro alone keeps what it acknowledges."""
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.parse

import boto3
from botocore.config import Config

from programs import LOAD
from queues import ACCOUNT, BODY, start_goaws, told
from report import quantile
from subjects import start_cirro

STARTERS = {"cirro": start_cirro, "goaws": start_goaws}
HEADERS = ["Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request, "
           "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64, "X-Amz-Date: 20260101T000000Z",
           "Content-Type: application/x-www-form-urlencoded; charset=utf-8", "Accept-Encoding: identity"]
QUEUES = 100
ROUNDS = 50  # of a message alone


class Topic:
    """A topic of a running server, with so many queues."""

    def __init__(self, url, name, queues, raw=True):
        self.server = url
        keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test",
                "endpoint_url": url, "config": Config(retries={"max_attempts": 3})}
        self.sns, self.sqs = boto3.client("sns", **keys), boto3.client("sqs", **keys)
        self.arn = self.sns.create_topic(Name=name)["TopicArn"]
        self.queues = []
        for i in range(queues):
            queue = self.sqs.create_queue(QueueName=f"{name}-{i}")["QueueUrl"]
            self.sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}-{i}",
                               Attributes={"RawMessageDelivery": "true" if raw else "false"})
            self.queues.append(queue)

    def load(self, mode, clients, *arguments):
        form = urllib.parse.urlencode({"Action": "Publish", "Version": "2010-03-31", "TopicArn": self.arn, "Message": BODY + "########"}, safe="#")
        command = [LOAD, mode, "-url", self.server + "/", "-clients", str(clients), "-body", form, *arguments]
        for h in HEADERS:
            command += ["-header", h]
        out = subprocess.run(command, capture_output=True, text=True)
        if out.returncode:
            raise RuntimeError(out.stderr.strip().splitlines()[-1])
        return json.loads(out.stdout)

    def waiting(self, queue):
        a = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        return int(a["ApproximateNumberOfMessages"])

    def full(self, messages, within=120):
        """Waits until every queue has so many messages."""
        deadline = time.monotonic() + within
        for queue in self.queues:
            while self.waiting(queue) < messages:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"after {within} s a queue has {self.waiting(queue)} of {messages} messages")
                time.sleep(0.01)

    def purge(self):
        for queue in self.queues:
            self.sqs.purge_queue(QueueUrl=queue)


def alone(topic):
    """Seconds from a publication to the reception from the last queue subscribed, of one message at a time."""
    queue, took = topic.queues[-1], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        topic.sns.publish(TopicArn=topic.arn, Message=BODY)
        while not (got := topic.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")):
            pass
        took.append(time.perf_counter() - began)
        topic.sqs.delete_message(QueueUrl=queue, ReceiptHandle=got[0]["ReceiptHandle"])
    return took


def measure(report, name, url, seconds, first):
    def row(what, per_second, note):
        report.row(name, what, per_second, "/s", "; ".join(filter(None, (
            note, name != "cirro" and what in first and f"Cirro does {first[what] / per_second:.2f}x"))))
        if name == "cirro":
            first[what] = per_second

    none = Topic(url, "none", 0)
    for clients in (1, 16, 64):
        f = none.load("run", clients, "-for", f"{seconds}s")
        row(f"published to nobody, {clients} clients", f["per_second"], f"p50 {f['p50_ms']:.2f} ms, p99 {f['p99_ms']:.2f} ms" + told(f))
    for queues, raw, messages in (1, True, 20_000), (1, False, 5_000), (QUEUES, True, 500), (QUEUES, False, 500):
        kind = f"{queues} queue{'s' if queues > 1 else ''}, {'raw' if raw else 'in envelopes'}"
        topic = Topic(url, f"to-{queues}-{'raw' if raw else 'envelopes'}", queues, raw)
        if raw:
            took = alone(topic)
            report.row(name, f"a message alone to {kind}, p50", quantile(took, 0.5) * 1000, "ms",
                       f"p99 {quantile(took, 0.99) * 1000:.2f} ms, publication to reception")
            topic.purge()
        began = time.perf_counter()
        topic.load("fill", 16, "-keys", str(messages))
        published = time.perf_counter() - began
        topic.full(messages)
        row(f"delivered to {kind}", queues * messages / (time.perf_counter() - began), f"{messages / published:.0f} published a second, 16 clients")
        topic.purge()


def suite(report, names, seconds):
    first = {}
    for name in names:
        def run():
            with tempfile.TemporaryDirectory() as directory:
                server = STARTERS[name](pathlib.Path(directory))
                try:
                    measure(report, name, server.url, seconds, first)
                finally:
                    server.stop()
        report.attempt(name, "SNS", run)
