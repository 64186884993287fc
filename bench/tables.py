"""DynamoDB side by side: Cirro, AWS's DynamoDB Local and dynalite, all on disk, under one load."""
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request

import boto3
from botocore.config import Config

from invokes import load
from subjects import Server, free_port, install, maven, memory, process_tree, start_cirro

LOCAL = "3.3.1"
DYNALITE = "dynalite@4.0.0"

CLIENTS = 32
FEW = 10_000      # items that are put and read by themselves
PARTITIONS = 500  # each with as many items as a query returns
PAGE = 20
TABLE = "bench"
PADDING = "x" * 200


def list_tables(url):
    """A request that AWS's server answers: it has no page of health."""
    return urllib.request.Request(url, b"{}", dict(h.split(": ", 1) for h in headers("ListTables")))


def start_local(data):
    lib = maven("dynamodb-local", "software.amazon.dynamodb", "DynamoDBLocal", LOCAL)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    return Server(["java", f"-Djava.library.path={lib}", "-cp", f"{lib}/*", "software.amazon.dynamodb.services.local.main.ServerRunner",
                   "-port", str(port), "-dbPath", data], url, list_tables(url), cwd=data)


def start_dynalite(data):
    where = install(DYNALITE, "npm", lambda where: subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", DYNALITE], cwd=where, check=True))
    port = free_port()
    return Server([where / "node_modules/.bin/dynalite", "--host", "127.0.0.1", "--port", str(port), "--path", data / "db"],
                  f"http://127.0.0.1:{port}", "/")


STARTERS = {"cirro": start_cirro, "DynamoDB Local": start_local, "dynalite": start_dynalite}


def key(prefix, sort="0"):
    """A key whose number the load generator chooses anew for each request."""
    return {"pk": {"S": prefix + "########"}, "sk": {"S": sort}}


def item(of):
    return {**of, "n": {"N": "1"}, "name": {"S": "order"}, "text": {"S": PADDING}}


# The operations, and the numbers that their keys are chosen below.
OPERATIONS = {
    "PutItem": (FEW, {"TableName": TABLE, "Item": item(key("k"))}),
    "GetItem": (FEW, {"TableName": TABLE, "Key": key("k")}),
    "UpdateItem with a condition": (FEW, {
        "TableName": TABLE, "Key": key("k"), "UpdateExpression": "SET n = n + :one", "ConditionExpression": "attribute_exists(pk)",
        "ExpressionAttributeValues": {":one": {"N": "1"}}}),
    "Query of 20 items": (PARTITIONS, {
        "TableName": TABLE, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": "q########"}}}),
    "TransactWriteItems of 4": (FEW, {"TransactItems": [{"Put": {"TableName": TABLE, "Item": item(key("k"))}} for _ in range(4)]}),
}


def headers(operation):
    return ["Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, "
            "SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + "0" * 64,
            "X-Amz-Date: 20260101T000000Z", "Content-Type: application/x-amz-json-1.0",
            f"X-Amz-Target: DynamoDB_20120810.{operation.split()[0]}", "Accept-Encoding: identity"]


def create(url):
    client = boto3.client("dynamodb", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
                          config=Config(retries={"max_attempts": 3}))
    client.create_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST",
                        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")])
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    return client


def fill(url):
    client = create(url)
    keys = [(f"k{n:08}", "0") for n in range(FEW)] + [(f"q{n:08}", f"{i:03}") for n in range(PARTITIONS) for i in range(PAGE)]
    for at in range(0, len(keys), 25):
        puts = [{"PutRequest": {"Item": item({"pk": {"S": pk}, "sk": {"S": sk}})}} for pk, sk in keys[at:at + 25]]
        while puts:
            puts = client.batch_write_item(RequestItems={TABLE: puts})["UnprocessedItems"].get(TABLE)


def operate(report, name, url, yard, seconds, first):
    """One subject's operations. first has the figures of the subject that all others are compared with."""
    for operation, (keys, body) in OPERATIONS.items():
        def one(clients):
            return load(url, clients, seconds, headers(operation), body=json.dumps(body), keys=keys)
        f = one(CLIENTS)
        if f["failed"] == f["requests"]:
            report.row(name, f"{operation}, {CLIENTS} clients", "none", note="every request failed")
            continue
        failed = f"; {f['failed']} of {f['requests']} failed" if f["failed"] else ""
        ratio = f"; Cirro does {first[operation] / f['per_second']:.1f}x" if operation in first else ""
        report.row(name, f"{operation}, {CLIENTS} clients", f["per_second"], "/s",
                   f"{f['per_second'] / yard[CLIENTS]['per_second']:.3f}x bare net/http{ratio}{failed}")
        if name == "cirro":
            first[operation] = f["per_second"]
        if operation in ("GetItem", "PutItem"):
            f = one(1)
            report.row(name, f"{operation}, 1 client, p50", f["p50_ms"], "ms",
                       f"{f['p50_ms'] / yard[1]['p50_ms']:.1f}x bare net/http; p99 {f['p99_ms']:.3f} ms")


# A table of any size: partitions of as many items as a query returns.
BATCH = {"RequestItems": {TABLE: [{"PutRequest": {"Item": item({"pk": {"S": "q@@@@@@@@"}, "sk": {"S": f"{i:03}"}})}} for i in range(PAGE)]}}
READS = {"GetItem": {"TableName": TABLE, "Key": key("q", "007")}, "Query of 20 items": OPERATIONS["Query of 20 items"][1]}


def growth(report, yard, seconds, sizes):
    """Reading as a table grows, and the memory that it takes."""
    with tempfile.TemporaryDirectory() as data:
        server = start_cirro(pathlib.Path(data))
        try:
            create(server.url)
            first = {}
            for size in sizes:
                began = time.perf_counter()
                load(server.url, CLIENTS, 0, headers("BatchWriteItem"), "fill", json.dumps(BATCH), size // PAGE)
                report.row("cirro", f"filled to {size:,} items", size / (time.perf_counter() - began), "items/s", "BatchWriteItem of 20; what is there already is written again")
                time.sleep(20)  # the store puts its tables in order
                for operation, body in READS.items():
                    f = load(server.url, CLIENTS, seconds, headers(operation), body=json.dumps(body), keys=size // PAGE)
                    ratio = f"; {first[operation] / f['per_second']:.2f}x the time that it took at first" if operation in first else ""
                    first.setdefault(operation, f["per_second"])
                    report.row("cirro", f"{operation} of {size:,}, {CLIENTS} clients", f["per_second"], "/s",
                               f"{f['per_second'] / yard[CLIENTS]['per_second']:.3f}x bare net/http{ratio}; {f['failed']} failed")
                report.row("cirro", f"memory with {size:,} items", memory(process_tree(server.process.pid), "Pss"), "MB")
        finally:
            server.stop()


def suite(report, names, yard, seconds):
    first = {}
    for name in names:
        def measure():
            with tempfile.TemporaryDirectory() as data:
                server = STARTERS[name](pathlib.Path(data))
                try:
                    began = time.perf_counter()
                    fill(server.url)
                    took = time.perf_counter() - began
                    report.row(name, "BatchWriteItem of 25, 1 client", (FEW + PARTITIONS * PAGE) / took, "items/s", "by boto3, and the time of boto3 in it")
                    operate(report, name, server.url, yard, seconds, first)
                    report.row(name, "memory after that", memory(process_tree(server.process.pid), "Pss"), "MB")
                finally:
                    server.stop()
        report.attempt(name, "DynamoDB", measure)
