"""SQS side by side: Cirro, goaws and ElasticMQ under one load. Cirro alone keeps what it acknowledges."""
import json
import os
import pathlib
import subprocess
import tempfile
import time

import boto3
from botocore.config import Config

from programs import LOAD
from subjects import Server, free_port, install, maven, memory, process_tree, start_cirro

GOAWS = "v0.5.4"
ELASTICMQ = "1.6.12"
ACCOUNT = "000000000000"
BODY = "x" * 200
QUEUE = "bench"
SMALL = 100_000  # the backlog of peers


def start_goaws(data):
    where = install(f"goaws-{GOAWS}", "go", lambda where: subprocess.run(
        ["go", "install", f"github.com/Admiral-Piett/goaws/app/cmd@{GOAWS}"], check=True, env={**os.environ, "GOBIN": str(where)}))
    port = free_port()
    config = data / "goaws.yaml"
    config.write_text(f'Local:\n  Host: 127.0.0.1\n  Port: {port}\n  Region: us-east-1\n  AccountId: "{ACCOUNT}"\n')
    return Server([where / "cmd", "-config", config, "-loglevel", "error", "Local"], f"http://127.0.0.1:{port}", "/health", cwd=data)


def start_elasticmq(data):
    lib = maven("elasticmq", "org.elasticmq", "elasticmq-server_2.13", ELASTICMQ)
    port = free_port()
    return Server(["java", "-Drest-sqs.bind-hostname=127.0.0.1", f"-Drest-sqs.bind-port={port}", "-Drest-stats.enabled=false",
                   "-cp", f"{lib}/*", "org.elasticmq.server.Main"], f"http://127.0.0.1:{port}", "/health", cwd=data)


STARTERS = {"cirro": start_cirro, "goaws": start_goaws, "ElasticMQ": start_elasticmq}


def headers(operation):
    return ["Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + "0" * 64,
            "X-Amz-Date: 20260101T000000Z", "Content-Type: application/x-amz-json-1.0",
            f"X-Amz-Target: AmazonSQS.{operation}", "Accept-Encoding: identity"]


class Queue:
    """A queue of a running server, with the loads on it."""

    def __init__(self, url, seconds):
        self.server, self.seconds = url, seconds
        self.client = boto3.client("sqs", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test",
                                   aws_secret_access_key="test", config=Config(retries={"max_attempts": 3}))
        self.url = self.client.create_queue(QueueName=QUEUE)["QueueUrl"]

    def load(self, mode, clients, operation, body, seconds=None, *arguments):
        command = [LOAD, mode, "-url", self.server + "/", "-clients", str(clients), "-for", f"{seconds or self.seconds}s",
                   "-body", json.dumps({"QueueUrl": self.url, **body}), *arguments]
        for h in headers(operation):
            command += ["-header", h]
        out = subprocess.run(command, capture_output=True, text=True)
        if out.returncode:
            raise RuntimeError(out.stderr.strip().splitlines()[-1])
        return json.loads(out.stdout)

    def send(self, clients, mode="run", *arguments):
        return self.load(mode, clients, "SendMessage", {"MessageBody": BODY}, None, *arguments)

    def send_batch(self, clients, mode="run", *arguments):
        entries = [{"Id": str(i), "MessageBody": BODY} for i in range(10)]
        return self.load(mode, clients, "SendMessageBatch", {"Entries": entries}, None, *arguments)

    def fill(self, messages, clients=32):
        self.send_batch(clients, "fill", "-keys", str(messages // 10))

    def consume(self, clients, seconds=None, first=False):
        """Receives a message at a time and deletes it; first sends one before each."""
        arguments = ["-then", json.dumps({"QueueUrl": self.url, "ReceiptHandle": "%HANDLE%"})]
        for h in headers("DeleteMessage"):
            arguments += ["-then-header", h]
        if first:
            arguments += ["-first", json.dumps({"QueueUrl": self.url, "MessageBody": BODY})]
            for h in headers("SendMessage"):
                arguments += ["-first-header", h]
        return self.load("consume", clients, "ReceiveMessage", {"MaxNumberOfMessages": 1}, seconds, *arguments)

    def purge(self):
        self.client.delete_queue(QueueUrl=self.url)
        self.url = self.client.create_queue(QueueName=QUEUE)["QueueUrl"]


def told(f, best=None, each=1):
    """What stands beside a figure. best is Cirro's."""
    parts = [f"{f['failed']} of {f['requests']} failed"] if f["failed"] else []
    if best:
        parts.append(f"Cirro does {best / (each * f['per_second']):.2f}x")
    return "; ".join(parts)


def operate(report, name, queue, yard, first):
    def row(measure, f, each=1, bare=None):
        ratio = f"{each * f['per_second'] / bare['per_second']:.3f}x bare net/http" if bare else ""
        report.row(name, measure, each * f["per_second"], "/s", "; ".join(filter(None, (
            ratio, f"p50 {f['p50_ms']:.2f} ms, p99 {f['p99_ms']:.2f} ms", told(f, first.get(measure), each)))))
        if name == "cirro":
            first[measure] = each * f["per_second"]

    for clients in (1, 16, 64):
        row(f"send, {clients} clients", queue.send(clients), bare=yard[clients])
        queue.purge()
    row("messages sent in batches of ten, 16 clients", queue.send_batch(16), each=10)
    queue.purge()
    row("receive and delete what was just sent, 16 clients", queue.consume(16, first=True))
    queue.purge()
    queue.fill(200_000 if name == "cirro" else SMALL)
    row("receive and delete, 1 client", queue.consume(1))
    row("receive and delete, 16 clients", queue.consume(16, seconds=3))
    queue.purge()


def backlog(report, name, server, queue, messages, again):
    """What a backlog costs those who send, receive and delete; and, of Cirro, how soon it is there after a restart."""
    calm = queue.consume(16, first=True)
    began = time.perf_counter()
    queue.fill(messages)
    report.row(name, f"filled with {messages:,} messages", messages / (time.perf_counter() - began), "/s")
    time.sleep(10)  # what the filling left to be done
    full = queue.consume(16, first=True)
    for q in ("p50", "p99"):
        report.row(name, f"receive and delete among {messages:,}, 16 clients, {q}", full[q + "_ms"], "ms",
                   f"{full[q + '_ms'] / calm[q + '_ms']:.2f}x of {calm[q + '_ms']:.2f} ms without a backlog; {told(full)}")
    report.row(name, f"memory with {messages:,} messages", memory(process_tree(server.process.pid), "Pss"), "MB")
    if not again:
        return server
    for how, end in (("SIGTERM", server.stop), ("SIGKILL", None)):
        if end is None:
            server.process.kill()
            server.process.wait()
        else:
            end()
        began = time.perf_counter()
        server = again()
        queue = Queue(server.url, 1)
        received = queue.client.receive_message(QueueUrl=queue.url).get("Messages")
        if not received:
            raise RuntimeError("after a restart no message is there")
        report.row(name, f"{how}, restart and first message of {messages:,}", time.perf_counter() - began, "s")
    return server


def suite(report, names, yard, seconds, messages):
    first = {}
    for name in names:
        def measure():
            with tempfile.TemporaryDirectory() as directory:
                data = pathlib.Path(directory)
                start = STARTERS[name]
                server = start(data)
                try:
                    queue = Queue(server.url, seconds)
                    operate(report, name, queue, yard, first)
                    if name == "cirro":
                        server = backlog(report, name, server, queue, messages, lambda: start(data))
                    else:
                        backlog(report, name, server, queue, SMALL, None)
                finally:
                    server.stop()
        report.attempt(name, "SQS", measure)
