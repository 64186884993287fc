"""Powertools for AWS Lambda (Python), unmodified, in functions that keep what it needs in a table.

https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/
https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/
"""
import concurrent.futures
import json

import pytest

from conftest import package_with, unique

IDEMPOTENT = '''
import os
import time
import uuid

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

store = DynamoDBPersistenceLayer(table_name=os.environ["TABLE"])
config = IdempotencyConfig(event_key_jmespath="id", payload_validation_jmespath="amount", raise_on_no_idempotency_key=True,
                           expires_after_seconds=int(os.environ["EXPIRES"]))


@idempotent(persistence_store=store, config=config)
def pay(event, context):
    if event.get("fail"):
        raise ValueError("declined")
    time.sleep(event.get("takes", 0))
    return {"payment": uuid.uuid4().hex}


def handler(event, context):
    try:
        return pay(event, context)
    except IdempotencyAlreadyInProgressError:
        return "in progress"
'''

BATCH = '''
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def record_handler(record: DynamoDBRecord):
    new = record.dynamodb.new_image
    if new["amount"] < 0:
        raise ValueError("negative")
    print(record.event_name.name, new)


def handler(event, context):
    return process_partial_response(event=event, record_handler=record_handler, processor=processor, context=context)
'''


def packaged(source):
    """A deployment package with Powertools beside the source."""
    return package_with(["aws_lambda_powertools", "jmespath", "typing_extensions"], source)


@pytest.fixture(scope="module")
def table(client):
    name = unique("idempotency")
    client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                                    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                                    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    client("dynamodb").get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return name


@pytest.fixture(scope="module")
def invoke(client, function, table):
    name = function("", Zip=packaged(IDEMPOTENT), Timeout=30, MemorySize=512, Environment={"Variables": {
        "TABLE": table, "EXPIRES": "3600", "POWERTOOLS_SERVICE_NAME": "payments"}})

    def call(**event):
        reply = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        return json.load(reply["Payload"]), reply.get("FunctionError")
    return call


def test_a_repeated_request_is_answered_alike(invoke):
    first, _ = invoke(id="a", amount=1)
    assert first["payment"]
    assert invoke(id="a", amount=1) == (first, None)
    assert invoke(id="b", amount=1)[0] != first


def test_another_payload_under_the_same_key_is_refused(invoke):
    invoke(id="c", amount=1)
    answer, error = invoke(id="c", amount=2)
    assert error == "Unhandled" and answer["errorType"] == "IdempotencyValidationError"


def test_what_failed_may_be_tried_again(invoke):
    answer, error = invoke(id="d", amount=1, fail=True)
    assert (error, answer["errorMessage"]) == ("Unhandled", "declined")
    assert "payment" in invoke(id="d", amount=1)[0]


def test_only_one_of_many_at_once_is_carried_out(invoke):
    for takes in (2, 5, 20):  # as long as the others take to come meanwhile
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: invoke(id=f"e{takes}", amount=1, takes=takes)[0], range(8)))
        assert len({a["payment"] for a in answers if a != "in progress"}) == 1
        if "in progress" in answers:
            return
    pytest.fail("none came while another was in progress")


def test_the_record_is_powertools_own(client, table, invoke):
    answer, _ = invoke(id="f", amount=1)
    records = [i for i in client("dynamodb").scan(TableName=table)["Items"] if json.loads(i["data"]["S"]) == answer]
    assert len(records) == 1
    record = records[0]
    assert record["id"]["S"].split("#")[0].endswith(".pay") and record["status"] == {"S": "COMPLETED"}
    assert set(record) == {"id", "expiration", "in_progress_expiration", "status", "data", "validation"} or set(record) == {
        "id", "expiration", "status", "data", "validation"}


def test_a_batch_of_stream_records(client, function, table):
    """The records come from the stream itself; a batch that fails in part names the record that it failed at."""
    dynamodb, streams = client("dynamodb"), client("dynamodbstreams")
    amounts = {"batch-1": "1.50", "batch-2": "-3", "batch-3": "2"}
    for key, amount in amounts.items():
        dynamodb.put_item(TableName=table, Item={"id": {"S": key}, "amount": {"N": amount}, "tags": {"SS": ["x", "y"]}})
    arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    records = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        at = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        records += streams.get_records(ShardIterator=at)["Records"]
    records = [r for r in records if r["dynamodb"]["Keys"]["id"]["S"] in amounts]
    assert len(records) == 3
    for r in records:
        r["dynamodb"]["ApproximateCreationDateTime"] = r["dynamodb"]["ApproximateCreationDateTime"].timestamp()
    name = function("", Zip=packaged(BATCH), Timeout=30, MemorySize=512)
    reply = client("lambda").invoke(FunctionName=name, Payload=json.dumps({"Records": records}))
    failed = next(r["dynamodb"]["SequenceNumber"] for r in records if r["dynamodb"]["Keys"]["id"]["S"] == "batch-2")
    assert json.load(reply["Payload"]) == {"batchItemFailures": [{"itemIdentifier": failed}]}
