"""DynamoDB Streams as boto3's own client sees them."""
import signal
import time

import pytest
from botocore.exceptions import ClientError

from conftest import make_client, unique
from cirro import Cirro


@pytest.fixture(scope="module")
def dynamodb(client):
    return client("dynamodb")


@pytest.fixture(scope="module")
def streams(client):
    return client("dynamodbstreams")


def create(dynamodb, view="NEW_AND_OLD_IMAGES", **kw):
    name = unique("music")
    kw = {"BillingMode": "PAY_PER_REQUEST", **kw}
    d = dynamodb.create_table(TableName=name, KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                              AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                              StreamSpecification={"StreamEnabled": True, "StreamViewType": view}, **kw)["TableDescription"]
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    return name, d["LatestStreamArn"]


def shards(streams, arn):
    return streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]


def records(streams, arn):
    """All that a stream has, shard by shard."""
    out = []
    for shard in shards(streams, arn):
        it = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while it:
            page = streams.get_records(ShardIterator=it, Limit=2)
            out += page["Records"]
            it = page.get("NextShardIterator") if page["Records"] else None
    return out


def code(error):
    return error.value.response["Error"]["Code"]


def test_changes_of_an_item(dynamodb, streams):
    table, arn = create(dynamodb)
    dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "n": {"N": "1"}, "tags": {"SS": ["x", "y"]}, "raw": {"B": b"\x00\x01"}})
    dynamodb.update_item(TableName=table, Key={"id": {"S": "a"}}, UpdateExpression="SET n = n + :one",
                         ExpressionAttributeValues={":one": {"N": "1"}})
    dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "n": {"N": "2"}, "tags": {"SS": ["x", "y"]}, "raw": {"B": b"\x00\x01"}})
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "nothing"}})
    got = records(streams, arn)
    assert [r["eventName"] for r in got] == ["INSERT", "MODIFY", "REMOVE"]
    insert, modify, remove = (r["dynamodb"] for r in got)
    assert insert["NewImage"]["raw"] == {"B": b"\x00\x01"} and "OldImage" not in insert
    assert (modify["OldImage"]["n"], modify["NewImage"]["n"]) == ({"N": "1"}, {"N": "2"})
    assert remove["OldImage"]["tags"] == {"SS": ["x", "y"]} and "NewImage" not in remove
    for r in got:
        assert r["eventSource"] == "aws:dynamodb" and r["eventVersion"] == "1.1" and r["awsRegion"] == "us-east-1" and r["eventID"]
        assert r["dynamodb"]["Keys"] == {"id": {"S": "a"}} and r["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert r["dynamodb"]["SizeBytes"] > 0 and abs(r["dynamodb"]["ApproximateCreationDateTime"].timestamp() - time.time()) < 60
        assert "userIdentity" not in r
    numbers = [int(r["dynamodb"]["SequenceNumber"]) for r in got]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("view, images", [("KEYS_ONLY", set()), ("NEW_IMAGE", {"NewImage"}), ("OLD_IMAGE", {"OldImage"})])
def test_views(dynamodb, streams, view, images):
    table, arn = create(dynamodb, view)
    for n in "12":
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "n": {"N": n}})
    modified = records(streams, arn)[1]["dynamodb"]
    assert {k for k in modified if k.endswith("Image")} == images


def test_batches_and_transactions_are_told(dynamodb, streams):
    table, arn = create(dynamodb)
    dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": {"id": {"S": str(i)}}}} for i in range(10)]})
    dynamodb.transact_write_items(TransactItems=[
        {"Put": {"TableName": table, "Item": {"id": {"S": "new"}}}},
        {"Delete": {"TableName": table, "Key": {"id": {"S": "3"}}}},
        {"Update": {"TableName": table, "Key": {"id": {"S": "4"}}, "UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}},
    ])
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[
            {"Put": {"TableName": table, "Item": {"id": {"S": "never"}}}},
            {"ConditionCheck": {"TableName": table, "Key": {"id": {"S": "none"}}, "ConditionExpression": "attribute_exists(id)"}}])
    got = sorted((r["eventName"], r["dynamodb"]["Keys"]["id"]["S"]) for r in records(streams, arn))
    assert got == sorted([("INSERT", str(i)) for i in range(10)] + [("INSERT", "new"), ("REMOVE", "3"), ("MODIFY", "4")])


def test_order_of_a_key_and_shards(dynamodb, streams):
    table, arn = create(dynamodb)
    for n in range(5):
        for key in "abcdefgh":
            dynamodb.put_item(TableName=table, Item={"id": {"S": key}, "n": {"N": str(n)}})
    all_shards = shards(streams, arn)
    assert len(all_shards) == 4
    seen = {}
    for shard in all_shards:
        assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        it = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        for r in streams.get_records(ShardIterator=it)["Records"]:
            key = r["dynamodb"]["Keys"]["id"]["S"]
            seen.setdefault(key, []).append((shard["ShardId"], int(r["dynamodb"]["NewImage"]["n"]["N"])))
    assert len(seen) == 8
    for key, changes in seen.items():
        assert [n for _, n in changes] == list(range(5)) and len({s for s, _ in changes}) == 1, key


def test_iterators(dynamodb, streams):
    table, arn = create(dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
    [shard] = shards(streams, arn)
    at = {"StreamArn": arn, "ShardId": shard["ShardId"]}

    def read(it):
        return [r["dynamodb"]["Keys"]["id"]["S"] for r in streams.get_records(ShardIterator=it)["Records"]]

    for key in "abc":
        dynamodb.put_item(TableName=table, Item={"id": {"S": key}})
    latest = streams.get_shard_iterator(**at, ShardIteratorType="LATEST")["ShardIterator"]
    number = records(streams, arn)[1]["dynamodb"]["SequenceNumber"]
    assert read(streams.get_shard_iterator(**at, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=number)["ShardIterator"]) == ["b", "c"]
    after = streams.get_shard_iterator(**at, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=number)["ShardIterator"]
    assert read(after) == ["c"] and read(latest) == []
    dynamodb.put_item(TableName=table, Item={"id": {"S": "d"}})
    assert read(latest) == ["d"] and read(after) == ["c", "d"]


def test_describing_and_listing(dynamodb, streams):
    table, arn = create(dynamodb, "KEYS_ONLY")
    d = streams.describe_stream(StreamArn=arn)["StreamDescription"]
    assert (d["StreamStatus"], d["StreamViewType"], d["TableName"], d["StreamArn"]) == ("ENABLED", "KEYS_ONLY", table, arn)
    assert d["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert arn.endswith("/stream/" + d["StreamLabel"])
    first = streams.describe_stream(StreamArn=arn, Limit=3)["StreamDescription"]
    rest = streams.describe_stream(StreamArn=arn, ExclusiveStartShardId=first["LastEvaluatedShardId"])["StreamDescription"]
    assert len(first["Shards"]) == 3 and first["Shards"] + rest["Shards"] == d["Shards"] and "LastEvaluatedShardId" not in rest
    assert streams.list_streams(TableName=table)["Streams"] == [{"StreamArn": arn, "TableName": table, "StreamLabel": d["StreamLabel"]}]
    create(dynamodb)
    page = streams.list_streams(Limit=1)
    assert len(page["Streams"]) == 1
    arns = []
    while True:
        arns += [s["StreamArn"] for s in page["Streams"]]
        if "LastEvaluatedStreamArn" not in page:
            break
        page = streams.list_streams(Limit=1, ExclusiveStartStreamArn=page["LastEvaluatedStreamArn"])
    assert arn in arns and len(arns) == len(set(arns))


def test_a_stream_is_closed_and_another_opened(dynamodb, streams):
    table, first = create(dynamodb)
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    described = dynamodb.describe_table(TableName=table)["Table"]
    assert "StreamSpecification" not in described and described["LatestStreamArn"] == first
    dynamodb.put_item(TableName=table, Item={"id": {"S": "2"}})
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    second = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    dynamodb.put_item(TableName=table, Item={"id": {"S": "3"}})
    assert [r["dynamodb"]["Keys"]["id"]["S"] for r in records(streams, first)] == ["1"]
    assert [r["dynamodb"]["Keys"]["id"]["S"] for r in records(streams, second)] == ["3"]
    d = streams.describe_stream(StreamArn=first)["StreamDescription"]
    assert d["StreamStatus"] == "DISABLED" and all("EndingSequenceNumber" in s["SequenceNumberRange"] for s in d["Shards"])
    for shard in d["Shards"]:
        it = streams.get_shard_iterator(StreamArn=first, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        assert "NextShardIterator" not in streams.get_records(ShardIterator=it)
    dynamodb.delete_table(TableName=table)
    assert [r["dynamodb"]["Keys"]["id"]["S"] for r in records(streams, second)] == ["3"]


def test_errors(dynamodb, streams):
    _, arn = create(dynamodb)
    shard = shards(streams, arn)[0]["ShardId"]
    missing = arn.replace(":table/", ":table/not")
    with pytest.raises(streams.exceptions.ResourceNotFoundException) as e:
        streams.describe_stream(StreamArn=missing)
    assert e.value.response["Error"]["Message"] == f"Requested resource not found: Stream: {missing} not found"
    with pytest.raises(ClientError) as e:
        streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="SOMEWHERE")
    assert code(e) == "ValidationException"
    with pytest.raises(ClientError) as e:
        streams.get_records(ShardIterator="nonsense")
    assert code(e) == "ValidationException"


def test_records_survive_a_kill(tmp_path):
    with Cirro(tmp_path) as c:
        dynamodb, streams = make_client(c.url, "dynamodb"), make_client(c.url, "dynamodbstreams")
        table, arn = create(dynamodb)
        dynamodb.put_item(TableName=table, Item={"id": {"S": "old"}})
        before = records(streams, arn)
        c.restart(signal.SIGKILL)
        dynamodb, streams = make_client(c.url, "dynamodb"), make_client(c.url, "dynamodbstreams")
        assert records(streams, arn) == before
        dynamodb.put_item(TableName=table, Item={"id": {"S": "old"}, "n": {"N": "1"}})
        after = records(streams, arn)
        assert int(after[1]["dynamodb"]["SequenceNumber"]) > int(before[0]["dynamodb"]["SequenceNumber"])
