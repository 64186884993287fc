"""DynamoDB's tables as boto3 sees them: their life, indexes built online, time to live, backups, tags, policies."""
import json
import signal
import time

import pytest
from botocore.exceptions import ClientError

from conftest import make_client, unique
from cirro import Cirro


@pytest.fixture(scope="module")
def dynamodb(client):
    return client("dynamodb")


def create(dynamodb, name=None, **kw):
    name = name or unique("music")
    kw = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
          "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], **kw}
    d = dynamodb.create_table(TableName=name, **kw)["TableDescription"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    return name, d


def put(dynamodb, table, ids, **attributes):
    for i in ids:
        dynamodb.put_item(TableName=table, Item={"id": {"S": str(i)}, **attributes})


def describe(dynamodb, table):
    return dynamodb.describe_table(TableName=table)["Table"]


def active(dynamodb, table):
    """Wait until a table is ACTIVE."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        d = describe(dynamodb, table)
        if d["TableStatus"] == "ACTIVE":
            return d
        time.sleep(0.02)
    raise AssertionError(d["TableStatus"])


def count(dynamodb, table, **kw):
    return sum(page["Count"] for page in dynamodb.get_paginator("scan").paginate(TableName=table, **kw))


def error(call, *args, **kw):
    with pytest.raises(ClientError) as e:
        call(*args, **kw)
    e = e.value.response["Error"]
    return e["Code"], e["Message"]


BY_GENRE = {"Create": {"IndexName": "by-genre", "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}}
GENRE = [{"AttributeName": "genre", "AttributeType": "S"}]


def test_the_life_of_a_table(dynamodb):
    name, created = create(dynamodb)
    assert created["TableStatus"] == "CREATING"
    d = describe(dynamodb, name)
    assert d["TableStatus"] == "ACTIVE" and d["ItemCount"] == 0 and d["TableArn"].endswith(f":table/{name}") and d["TableId"]
    assert d["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST" and d["DeletionProtectionEnabled"] is False
    assert error(create, dynamodb, name) == ("ResourceInUseException", f"Table already exists: {name}")
    assert dynamodb.describe_table(TableName=d["TableArn"])["Table"] == d
    assert dynamodb.delete_table(TableName=name)["TableDescription"]["TableStatus"] == "DELETING"
    dynamodb.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
    assert error(dynamodb.describe_table, TableName=name) == ("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
    assert error(dynamodb.delete_table, TableName=name)[0] == "ResourceNotFoundException"


def test_listing(dynamodb):
    prefix = unique("list")
    names = [create(dynamodb, f"{prefix}-{i}")[0] for i in range(5)]
    pages = list(dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(p["TableNames"]) <= 2 for p in pages)
    listed = [n for p in pages for n in p["TableNames"]]
    assert [n for n in listed if n.startswith(prefix)] == names and listed == sorted(listed)
    first = dynamodb.list_tables(ExclusiveStartTableName=prefix, Limit=2)
    assert first["TableNames"] == names[:2] and first["LastEvaluatedTableName"] == names[1]


def test_an_index_is_built_online(dynamodb):
    table, _ = create(dynamodb)
    for start in range(0, 600, 25):
        dynamodb.batch_write_item(RequestItems={table: [
            {"PutRequest": {"Item": {"id": {"S": str(i)}, "genre": {"S": f"g{i % 5}"}}}} for i in range(start, start + 25)]})
    d = dynamodb.update_table(TableName=table, AttributeDefinitions=GENRE, GlobalSecondaryIndexUpdates=[BY_GENRE])["TableDescription"]
    assert d["TableStatus"] == "UPDATING"
    [x] = d["GlobalSecondaryIndexes"]
    assert x["IndexStatus"] == "CREATING" and x["Backfilling"] is True and x["IndexArn"] == d["TableArn"] + "/index/by-genre"
    put(dynamodb, table, range(590, 610), genre={"S": "late"})
    d = active(dynamodb, table)
    [x] = d["GlobalSecondaryIndexes"]
    assert x["IndexStatus"] == "ACTIVE" and "Backfilling" not in x
    assert count(dynamodb, table, IndexName="by-genre") == 610
    got = dynamodb.query(TableName=table, IndexName="by-genre", KeyConditionExpression="genre = :g", ExpressionAttributeValues={":g": {"S": "late"}})
    assert got["Count"] == 20
    assert error(dynamodb.update_table, TableName=table, AttributeDefinitions=GENRE, GlobalSecondaryIndexUpdates=[BY_GENRE]) == (
        "ValidationException", "Attempting to create an index which already exists")
    dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-genre"}}])
    d = active(dynamodb, table)
    assert "GlobalSecondaryIndexes" not in d and len(d["AttributeDefinitions"]) == 1
    assert error(dynamodb.scan, TableName=table, IndexName="by-genre")[0] == "ValidationException"


def test_an_index_is_built_after_a_kill(tmp_path):
    with Cirro(tmp_path) as c:
        dynamodb = make_client(c.url, "dynamodb")
        table, _ = create(dynamodb)
        for start in range(0, 1500, 25):
            dynamodb.batch_write_item(RequestItems={table: [
                {"PutRequest": {"Item": {"id": {"S": str(i)}, "genre": {"S": "g"}}}} for i in range(start, start + 25)]})
        dynamodb.update_table(TableName=table, AttributeDefinitions=GENRE, GlobalSecondaryIndexUpdates=[BY_GENRE])
        c.restart(signal.SIGKILL)
        active(dynamodb, table)
        assert count(dynamodb, table, IndexName="by-genre") == 1500


def test_capacity(dynamodb):
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    table, _ = create(dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    code, message = error(dynamodb.update_table, TableName=table, ProvisionedThroughput=units)
    assert code == "ValidationException" and message.startswith("The provisioned throughput for the table will not change.")
    dynamodb.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 10, "WriteCapacityUnits": 5})
    d = active(dynamodb, table)
    assert d["ProvisionedThroughput"]["ReadCapacityUnits"] == 10 and "LastIncreaseDateTime" in d["ProvisionedThroughput"]
    dynamodb.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    assert active(dynamodb, table)["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    code, message = error(dynamodb.update_table, TableName=table, ProvisionedThroughput=units)
    assert message == "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
    assert dynamodb.describe_limits()["TableMaxReadCapacityUnits"] > 0
    assert dynamodb.describe_endpoints()["Endpoints"][0]["Address"] in dynamodb.meta.endpoint_url


def test_deletion_protection_and_class(dynamodb):
    table, d = create(dynamodb, DeletionProtectionEnabled=True, TableClass="STANDARD_INFREQUENT_ACCESS")
    assert d["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert error(dynamodb.delete_table, TableName=table) == (
        "ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.update_table(TableName=table, TableClass="STANDARD")
    assert active(dynamodb, table)["TableClassSummary"]["TableClass"] == "STANDARD"
    dynamodb.delete_table(TableName=table)


def test_time_to_live(tmp_path):
    with Cirro(tmp_path, env={"CIRRO_TTL_INTERVAL": "100ms"}) as c:
        dynamodb, streams = make_client(c.url, "dynamodb"), make_client(c.url, "dynamodbstreams")
        table, d = create(dynamodb, StreamSpecification={"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"})
        assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}
        now = int(time.time())
        put(dynamodb, table, ["before"], expires={"N": str(now - 10)})
        spec = {"Enabled": True, "AttributeName": "expires"}
        assert dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=spec)["TimeToLiveSpecification"] == spec
        assert error(dynamodb.update_time_to_live, TableName=table, TimeToLiveSpecification=spec) == ("ValidationException", "TimeToLive is already enabled")
        put(dynamodb, table, ["past"], expires={"N": str(now - 100)})
        put(dynamodb, table, ["later"], expires={"N": str(now + 1000)})
        put(dynamodb, table, ["none"])
        deadline = time.monotonic() + 60
        while count(dynamodb, table) > 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        left = {i["id"]["S"] for i in dynamodb.scan(TableName=table)["Items"]}
        assert left == {"later", "none"}
        assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
        removed = {}
        for shard in streams.describe_stream(StreamArn=d["LatestStreamArn"])["StreamDescription"]["Shards"]:
            it = streams.get_shard_iterator(StreamArn=d["LatestStreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            removed.update({r["dynamodb"]["Keys"]["id"]["S"]: r["userIdentity"] for r in streams.get_records(ShardIterator=it)["Records"] if r["eventName"] == "REMOVE"})
        assert removed == {k: {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"} for k in ("before", "past")}


def test_tags(dynamodb):
    _, d = create(dynamodb, Tags=[{"Key": "team", "Value": "sound"}])
    arn = d["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": f"k{i:02}", "Value": str(i)} for i in range(15)])
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["k03", "missing"])
    tags = {t["Key"]: t["Value"] for p in dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn) for t in p["Tags"]}
    assert tags == {"team": "sound", **{f"k{i:02}": str(i) for i in range(15) if i != 3}}
    assert error(dynamodb.tag_resource, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": ""}])[0] == "ValidationException"
    assert error(dynamodb.list_tags_of_resource, ResourceArn=arn + "missing")[0] == "ResourceNotFoundException"


def test_resource_policy(dynamodb):
    _, d = create(dynamodb)
    arn = d["TableArn"]
    assert error(dynamodb.get_resource_policy, ResourceArn=arn)[0] == "PolicyNotFoundException"
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "dynamodb:GetItem", "Resource": arn}]})
    revision = dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy)["RevisionId"]
    got = dynamodb.get_resource_policy(ResourceArn=arn)
    assert (got["Policy"], got["RevisionId"]) == (policy, revision)
    assert error(dynamodb.put_resource_policy, ResourceArn=arn, Policy=policy, ExpectedRevisionId="NO_POLICY")[0] == "PolicyNotFoundException"
    assert dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=revision)["RevisionId"] == revision
    assert error(dynamodb.get_resource_policy, ResourceArn=arn)[0] == "PolicyNotFoundException"


def available(dynamodb, arn):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        d = dynamodb.describe_backup(BackupArn=arn)["BackupDescription"]
        if d["BackupDetails"]["BackupStatus"] == "AVAILABLE":
            return d
        time.sleep(0.02)
    raise AssertionError(d)


def test_backups(dynamodb):
    table, _ = create(dynamodb)
    put(dynamodb, table, range(50), v={"S": "then"})
    made = dynamodb.create_backup(TableName=table, BackupName="nightly")["BackupDetails"]
    assert made["BackupStatus"] in ("CREATING", "AVAILABLE") and made["BackupType"] == "USER"
    arn = made["BackupArn"]
    assert available(dynamodb, arn)["SourceTableDetails"]["ItemCount"] == 50
    put(dynamodb, table, range(60), v={"S": "now"})
    dynamodb.restore_table_from_backup(TargetTableName=table + "-restored", BackupArn=arn)
    d = active(dynamodb, table + "-restored")
    assert d["RestoreSummary"]["SourceBackupArn"] == arn and d["RestoreSummary"]["RestoreInProgress"] is False
    assert {i["v"]["S"] for i in dynamodb.scan(TableName=table + "-restored")["Items"]} == {"then"}
    assert count(dynamodb, table + "-restored") == 50
    [b] = dynamodb.list_backups(TableName=table)["BackupSummaries"]
    assert b["BackupName"] == "nightly" and b["BackupSizeBytes"] > 0
    assert [b["BackupArn"] for p in dynamodb.get_paginator("list_backups").paginate(TableName=table) for b in p["BackupSummaries"]] == [arn]
    dynamodb.delete_backup(BackupArn=arn)
    assert error(dynamodb.describe_backup, BackupArn=arn) == ("BackupNotFoundException", f"Backup not found: {arn}")


def test_point_in_time_recovery(dynamodb):
    table, _ = create(dynamodb)
    d = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert d["ContinuousBackupsStatus"] == "ENABLED" and d["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    assert error(dynamodb.restore_table_to_point_in_time, SourceTableName=table, TargetTableName="xxx", UseLatestRestorableTime=True)[0] == \
        "PointInTimeRecoveryUnavailableException"
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7})
    d = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert d["PointInTimeRecoveryStatus"] == "ENABLED" and d["RecoveryPeriodInDays"] == 7
    assert d["EarliestRestorableDateTime"] <= d["LatestRestorableDateTime"]
    put(dynamodb, table, range(5), v={"S": "1"})
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "3"}})
    dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=table + "-restored", UseLatestRestorableTime=True)
    active(dynamodb, table + "-restored")
    assert {i["id"]["S"] for i in dynamodb.scan(TableName=table + "-restored")["Items"]} == {"0", "1", "2", "4"}


def test_throughput_is_enforced_where_a_setting_says_so(tmp_path):
    with Cirro(tmp_path, env={"CIRRO_THROTTLE": "true"}) as c:
        dynamodb = make_client(c.url, "dynamodb")
        table, _ = create(dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
        large = {"S": "x" * (350 << 10)}  # 351 units, which five minutes' worth may fall short of once
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "v": large})
        with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException) as e:
            dynamodb.put_item(TableName=table, Item={"id": {"S": "b"}})
        assert e.value.response["Error"]["Message"].startswith("The level of configured provisioned throughput for the table was exceeded.")
        assert dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]["v"] == large
        dynamodb.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
        put(dynamodb, table, range(5))


def test_what_is_not_there_is_refused(dynamodb):
    table, _ = create(dynamodb)
    code, message = error(dynamodb.update_table, TableName=table, ReplicaUpdates=[{"Create": {"RegionName": "eu-west-1"}}])
    assert code == "NotImplemented" and "ReplicaUpdates" in message
    code, message = error(dynamodb.enable_kinesis_streaming_destination, TableName=table, StreamArn="arn:aws:kinesis:us-east-1:000000000000:stream/orders-changes")
    assert code == "NotImplemented" and "Kinesis" in message
    assert dynamodb.describe_kinesis_streaming_destination(TableName=table)["KinesisDataStreamDestinations"] == []
    assert dynamodb.describe_contributor_insights(TableName=table)["ContributorInsightsStatus"] == "DISABLED"
    assert dynamodb.list_global_tables()["GlobalTables"] == []
