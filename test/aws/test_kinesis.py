"""Kinesis Data Streams as boto3 uses them."""
import concurrent.futures
import signal

import pytest
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import make_client, unique

WHOLE = 2**128


@pytest.fixture
def kinesis(client):
    return client("kinesis")


@pytest.fixture
def stream(kinesis):
    """stream(shards) makes a stream and returns its name; without a number it is on-demand."""
    def make(shards=None, **kw):
        name = unique("s")
        if shards:
            kw["ShardCount"] = shards
        else:
            kw["StreamModeDetails"] = {"StreamMode": "ON_DEMAND"}
        kinesis.create_stream(StreamName=name, **kw)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        return name
    return make


def iterator(kinesis, name, shard=0, kind="TRIM_HORIZON", **kw):
    return kinesis.get_shard_iterator(StreamName=name, ShardId=f"shardId-{shard:012}", ShardIteratorType=kind, **kw)["ShardIterator"]


def read(kinesis, at, **kw):
    """All that is there, and where to go on."""
    data = []
    while True:
        got = kinesis.get_records(ShardIterator=at, **kw)
        data += [r["Data"].decode() for r in got["Records"]]
        at = got.get("NextShardIterator")
        if not at or not got["MillisBehindLatest"] and not got["Records"]:
            return data, at


def shards(kinesis, name):
    return kinesis.list_shards(StreamName=name)["Shards"]


def test_records_go_through(kinesis, stream):
    name = stream(1)
    latest = iterator(kinesis, name, kind="LATEST")
    put = kinesis.put_record(StreamName=name, Data=b"a\x00\xff", PartitionKey="k")
    assert put["ShardId"] == "shardId-000000000000" and len(put["SequenceNumber"]) == 56
    several = kinesis.put_records(StreamName=name, Records=[{"Data": str(i).encode(), "PartitionKey": str(i)} for i in range(10)])
    assert several["FailedRecordCount"] == 0
    numbers = [put["SequenceNumber"]] + [r["SequenceNumber"] for r in several["Records"]]
    assert numbers == sorted(numbers, key=int)
    got = kinesis.get_records(ShardIterator=latest)
    assert got["Records"][0]["Data"] == b"a\x00\xff" and got["Records"][0]["PartitionKey"] == "k"
    assert [r["SequenceNumber"] for r in got["Records"]] == numbers and got["MillisBehindLatest"] == 0
    assert read(kinesis, iterator(kinesis, name, kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[8]))[0] == ["8", "9"]
    assert read(kinesis, iterator(kinesis, name, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[9]))[0] == ["8", "9"]
    first = got["Records"][0]["ApproximateArrivalTimestamp"]
    since = iterator(kinesis, name, kind="AT_TIMESTAMP", Timestamp=first)
    assert [r["SequenceNumber"] for r in kinesis.get_records(ShardIterator=since, Limit=3)["Records"]] == numbers[:3]


def test_partition_keys_and_hash_keys_choose_shards(kinesis, stream):
    name = stream(4)
    ranges = [s["HashKeyRange"] for s in shards(kinesis, name)]
    assert [int(r["StartingHashKey"]) for r in ranges] == [i * WHOLE // 4 for i in range(4)]
    assert int(ranges[3]["EndingHashKey"]) == WHOLE - 1
    for i, r in enumerate(ranges):
        put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="same", ExplicitHashKey=r["EndingHashKey"])
        assert put["ShardId"] == f"shardId-{i:012}"
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="Invalid ExplicitHashKey"):
        kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k", ExplicitHashKey=str(WHOLE))


def test_split_and_merge(kinesis, stream):
    name = stream(1)
    kinesis.put_record(StreamName=name, Data=b"before", PartitionKey="k")
    kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(WHOLE // 2))
    parent, low, high = shards(kinesis, name)
    assert parent["SequenceNumberRange"]["EndingSequenceNumber"]
    assert low["ParentShardId"] == high["ParentShardId"] == parent["ShardId"]
    assert int(low["HashKeyRange"]["EndingHashKey"]) + 1 == int(high["HashKeyRange"]["StartingHashKey"]) == WHOLE // 2
    put = kinesis.put_record(StreamName=name, Data=b"after", PartitionKey="k", ExplicitHashKey="0")
    assert put["ShardId"] == low["ShardId"]
    assert int(put["SequenceNumber"]) > int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    got = kinesis.get_records(ShardIterator=iterator(kinesis, name))
    assert [r["Data"] for r in got["Records"]] == [b"before"] and "NextShardIterator" not in got
    assert [c["ShardId"] for c in got["ChildShards"]] == [low["ShardId"], high["ShardId"]]
    kinesis.merge_shards(StreamName=name, ShardToMerge=low["ShardId"], AdjacentShardToMerge=high["ShardId"])
    merged = shards(kinesis, name)[3]
    assert (merged["ParentShardId"], merged["AdjacentParentShardId"]) == (low["ShardId"], high["ShardId"])
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="already been merged or split"):
        kinesis.split_shard(StreamName=name, ShardToSplit=low["ShardId"], NewStartingHashKey="5")
    assert kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["OpenShardCount"] == 1
    opened = kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert [s["ShardId"] for s in opened] == [merged["ShardId"]]


def test_shard_count(kinesis, stream):
    name = stream(2)
    assert kinesis.update_shard_count(StreamName=name, TargetShardCount=3, ScalingType="UNIFORM_SCALING")["CurrentShardCount"] == 2
    opened = kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    ranges = sorted((int(s["HashKeyRange"]["StartingHashKey"]), int(s["HashKeyRange"]["EndingHashKey"])) for s in opened)
    assert len(ranges) == 3 and ranges[0][0] == 0 and ranges[2][1] == WHOLE - 1
    assert all(a[1] + 1 == b[0] for a, b in zip(ranges, ranges[1:]))
    with pytest.raises(kinesis.exceptions.LimitExceededException, match="cannot scale up over double"):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=7, ScalingType="UNIFORM_SCALING")


def test_descriptions(kinesis, stream):
    name = stream()
    d = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    assert d["StreamStatus"] == "ACTIVE" and d["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"} and len(d["Shards"]) == 4
    assert d["RetentionPeriodHours"] == 24 and d["EncryptionType"] == "NONE" and d["StreamARN"].endswith(f":stream/{name}")
    assert name in [s["StreamName"] for page in kinesis.get_paginator("list_streams").paginate() for s in page["StreamSummaries"]]
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    kinesis.add_tags_to_stream(StreamName=name, Tags={"b": "2", "a": "1"})
    kinesis.remove_tags_from_stream(StreamARN=d["StreamARN"], TagKeys=["b"])
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "a", "Value": "1"}]
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    kinesis.update_stream_mode(StreamARN=d["StreamARN"], StreamModeDetails={"StreamMode": "PROVISIONED"})
    d = kinesis.describe_stream_summary(StreamARN=d["StreamARN"])["StreamDescriptionSummary"]
    assert (d["RetentionPeriodHours"], d["EncryptionType"], d["StreamModeDetails"]["StreamMode"]) == (48, "KMS", "PROVISIONED")
    kinesis.delete_stream(StreamName=name)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match=f"Stream {name} under account 000000000000 not found."):
        kinesis.describe_stream(StreamName=name)


def test_enhanced_fan_out(kinesis, stream):
    name = stream(1)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]
    assert consumer["ConsumerStatus"] == "ACTIVE" and consumer["ConsumerARN"].startswith(arn + "/consumer/c:")
    kinesis.put_record(StreamName=name, Data=b"first", PartitionKey="k")
    events = kinesis.subscribe_to_shard(ConsumerARN=consumer["ConsumerARN"], ShardId="shardId-000000000000",
                                        StartingPosition={"Type": "TRIM_HORIZON"})["EventStream"]
    seen = []
    for event in events:
        batch = event["SubscribeToShardEvent"]
        assert batch["ContinuationSequenceNumber"]
        seen += [r["Data"] for r in batch["Records"]]
        if len(seen) == 1:
            kinesis.put_record(StreamName=name, Data=b"second", PartitionKey="k")
        if len(seen) == 2:
            break
    events.close()
    assert seen == [b"first", b"second"]
    kinesis.deregister_stream_consumer(ConsumerARN=consumer["ConsumerARN"])
    assert kinesis.list_stream_consumers(StreamARN=arn)["Consumers"] == []


def test_what_was_acknowledged_survives_a_crash(tmp_path):
    with Cirro(tmp_path) as platform:
        kinesis = make_client(platform.url, "kinesis")
        kinesis.create_stream(StreamName="s", ShardCount=1)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            put = list(pool.map(lambda i: kinesis.put_record(StreamName="s", Data=str(i).encode(), PartitionKey="k"), range(100)))
        platform.restart(signal.SIGKILL)
        after = kinesis.put_record(StreamName="s", Data=b"after", PartitionKey="k")
        got = kinesis.get_records(ShardIterator=iterator(kinesis, "s"))["Records"]
        assert [r["SequenceNumber"] for r in got] == sorted((p["SequenceNumber"] for p in put + [after]), key=int)
        assert sorted(r["Data"] for r in got) == sorted([str(i).encode() for i in range(100)] + [b"after"])


def test_errors(kinesis, stream):
    name = stream(1)
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="Invalid ShardIterator."):
        kinesis.get_records(ShardIterator="AAAAAAAAAAE=")
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match="Could not find shard shardId-000000000007"):
        iterator(kinesis, name, 7)
    with pytest.raises(ClientError, match="Member must have length less than or equal to 1048576"):
        kinesis.put_record(StreamName=name, Data=b"x" * (1 << 20 | 1), PartitionKey="k")
    kinesis.put_record(StreamName=name, Data=b"x" * (1 << 20), PartitionKey="k")
