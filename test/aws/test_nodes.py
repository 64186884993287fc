"""Two nodes over one database and one directory of bodies: each serves what the other was told, soon."""
import contextlib
import os
import signal
import threading

import pytest

import postgres
from cirro import Cirro
from conftest import ROLE, eventually, make_client, package, unique


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Two nodes' clients: nodes[0]("lambda")."""
    with two(tmp_path_factory.mktemp("nodes")) as platforms:
        yield [lambda service, url=platform.url: make_client(url, service) for platform in platforms]


@contextlib.contextmanager
def two(path):
    try:
        database = postgres.shared().database()
    except postgres.Unable as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))
    env = {"CIRRO_STORE": database, "CIRRO_BLOBS": str(path / "blobs")}
    with Cirro(path / "a", env=env) as a, Cirro(path / "b", env=env) as b:
        yield a, b


def answer(client, name):
    return client.invoke(FunctionName=name)["Payload"].read().decode()


def test_function_of_one_runs_on_the_other_and_follows_its_updates(nodes):
    here, there = (node("lambda") for node in nodes)
    name = unique("shared")
    here.create_function(FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=ROLE, Timeout=60,
                         Code={"ZipFile": package("def handler(event, context): return 'one'")})
    there.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    assert answer(there, name) == '"one"'
    assert answer(here, name) == '"one"'
    here.update_function_code(FunctionName=name, ZipFile=package("def handler(event, context): return 'two'"))
    eventually(lambda: answer(there, name) == '"two"')
    there.update_function_configuration(FunctionName=name, Environment={"Variables": {"LETTER": "b"}})
    there.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
    there.update_function_code(FunctionName=name, ZipFile=package("import os\ndef handler(event, context): return os.environ.get('LETTER')"))
    eventually(lambda: answer(here, name) == '"b"')
    here.delete_function(FunctionName=name)
    eventually(lambda: gone(there, name))


def gone(client, name):
    try:
        client.invoke(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        return True


def test_message_sent_to_one_wakes_who_waits_at_the_other(nodes):
    here, there = (node("sqs") for node in nodes)
    url = here.create_queue(QueueName=unique("q"))["QueueUrl"]
    there_url = there.get_queue_url(QueueName=url.rsplit("/", 1)[1])["QueueUrl"]
    got = []
    waiter = threading.Thread(target=lambda: got.extend(
        there.receive_message(QueueUrl=there_url, WaitTimeSeconds=20).get("Messages", [])))
    waiter.start()
    here.send_message(QueueUrl=url, MessageBody="hello")
    waiter.join()
    assert [m["Body"] for m in got] == ["hello"]
    there.delete_message(QueueUrl=there_url, ReceiptHandle=got[0]["ReceiptHandle"])


def test_order_of_a_group_holds_over_both(nodes):
    here, there = (node("sqs") for node in nodes)
    url = here.create_queue(QueueName=unique("q") + ".fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    clients = [(here, url), (there, there.get_queue_url(QueueName=url.rsplit("/", 1)[1])["QueueUrl"])]
    for i in range(20):
        client, at = clients[i % 2]
        client.send_message(QueueUrl=at, MessageBody=str(i), MessageGroupId="g")
    seen = []
    for i in range(20):
        client, at = clients[(i // 2) % 2]
        m, = client.receive_message(QueueUrl=at, MaxNumberOfMessages=1, WaitTimeSeconds=20)["Messages"]
        seen.append(int(m["Body"]))
        client.delete_message(QueueUrl=at, ReceiptHandle=m["ReceiptHandle"])
    assert seen == list(range(20))


def test_table_made_on_one_is_used_on_the_other(nodes):
    here, there = (node("dynamodb") for node in nodes)
    name = unique("t")
    here.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                      AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    there.get_waiter("table_exists").wait(TableName=name)
    for i in range(20):
        client = (here, there)[i % 2]
        client.update_item(TableName=name, Key={"id": {"S": "n"}}, UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}})
        seen = (there, here)[i % 2].get_item(TableName=name, Key={"id": {"S": "n"}}, ConsistentRead=True)
        assert seen["Item"]["n"]["N"] == str(i + 1)
    here.delete_table(TableName=name)
    eventually(lambda: name not in there.list_tables()["TableNames"])


def test_node_that_is_killed_holds_up_nobody(tmp_path):
    with two(tmp_path) as (a, b):
        survivor = make_client(b.url, "sqs")
        url = survivor.create_queue(QueueName="q")["QueueUrl"]
        for round in range(3):
            victim = make_client(a.url, "sqs")
            at = victim.get_queue_url(QueueName="q")["QueueUrl"]
            acknowledged, stop = [], threading.Event()

            def send(sender):
                while not stop.is_set():
                    body = f"{round} {sender} {len(acknowledged)}"
                    try:
                        victim.send_message(QueueUrl=at, MessageBody=body)
                    except Exception:
                        return
                    acknowledged.append(body)

            senders = [threading.Thread(target=send, args=(i,)) for i in range(4)]
            for sender in senders:
                sender.start()
            eventually(lambda: len(acknowledged) > 20)
            a.stop(signal.SIGKILL)
            stop.set()
            survivor.send_message(QueueUrl=url, MessageBody=f"{round} of the survivor")
            for sender in senders:
                sender.join()
            arrived = set()
            while not {*acknowledged, f"{round} of the survivor"} <= arrived:
                messages = survivor.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5).get("Messages", [])
                assert messages, set(acknowledged) - arrived
                for m in messages:
                    arrived.add(m["Body"])
                    survivor.delete_message(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"])
            a.start()
