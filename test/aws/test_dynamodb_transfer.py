"""Tables written to buckets, and made of them, with boto3."""
import base64
import datetime
import gzip
import hashlib
import json
import time

import botocore.exceptions
import pytest
from conftest import eventually, unique


@pytest.fixture
def ddb(client):
    return client("dynamodb")


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def table(ddb):
    """A table with point-in-time recovery: its name, its ARN."""
    name = unique("table")
    arn = ddb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                           KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])["TableDescription"]["TableArn"]
    ddb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True})
    return name, arn


def refused(code, call, **kw):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value.response
    return e.value.response["Error"]["Message"]


def exported(ddb, arn, status="COMPLETED"):
    def ended():
        d = ddb.describe_export(ExportArn=arn)["ExportDescription"]
        return d if d["ExportStatus"] != "IN_PROGRESS" else None
    d = eventually(ended)
    assert d["ExportStatus"] == status, d
    return d


def body(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def data(s3, bucket, manifest):
    """The lines of an export's data files, each checked against the manifest."""
    lines = []
    for entry in body(s3, bucket, json.loads(body(s3, bucket, manifest))["manifestFilesS3Key"]).splitlines():
        entry = json.loads(entry)
        out = s3.get_object(Bucket=bucket, Key=entry["dataFileS3Key"])
        zipped = out["Body"].read()
        assert base64.b64encode(hashlib.md5(zipped).digest()).decode() == entry["md5Checksum"] and out["ETag"].strip('"') == entry["etag"]
        of_file = [json.loads(line) for line in gzip.decompress(zipped).splitlines()]
        assert len(of_file) == entry["itemCount"]
        lines += of_file
    return lines


ITEMS = [{"pk": {"S": "a"}, "n": {"N": "1"}, "b": {"B": b"\0\1"}}, {"pk": {"S": "ü\"\n"}, "m": {"M": {"l": {"L": [{"NULL": True}, {"BOOL": False}]}}}},
         {"pk": {"S": "c"}, "ss": {"SS": ["x", "y"]}, "ns": {"NS": ["2", "1.5"]}}]


def plain(item):
    return json.loads(json.dumps(item, default=lambda b: base64.b64encode(b).decode()))


def test_a_whole_table(ddb, s3, table, bucket):
    name, arn = table
    for item in ITEMS:
        ddb.put_item(TableName=name, Item=item)
    started = ddb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, S3Prefix="out/x")["ExportDescription"]
    assert started["ExportStatus"] == "IN_PROGRESS" and started["ExportArn"].startswith(arn + "/export/")
    d = exported(ddb, started["ExportArn"])
    assert d["ItemCount"] == 3 and d["ExportFormat"] == "DYNAMODB_JSON" and d["ExportType"] == "FULL_EXPORT" and d["EndTime"] >= d["StartTime"]
    id = d["ExportArn"].split("/")[-1]
    assert d["ExportManifest"] == f"out/x/AWSDynamoDB/{id}/manifest-summary.json"
    lines = data(s3, bucket, d["ExportManifest"])
    by_key = lambda item: item["pk"]["S"]
    got = sorted((line["Item"] for line in lines), key=by_key)
    want = sorted((plain(i) for i in ITEMS), key=by_key)
    for g, w in zip(got, want):
        for one in (g, w):
            if "ns" in one:
                one["ns"]["NS"].sort()
        assert g == w
    summary = json.loads(body(s3, bucket, d["ExportManifest"]))
    assert summary["version"] == "2020-06-30" and summary["itemCount"] == 3 and summary["tableArn"] == arn and summary["s3Prefix"] == "out/x"
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    for file in ("_started", "manifest-files.json", "manifest-files.checksum", "manifest-summary.json", "manifest-summary.checksum"):
        assert f"out/x/AWSDynamoDB/{id}/{file}" in keys
    assert base64.b64encode(hashlib.md5(body(s3, bucket, d["ExportManifest"])).digest()) == body(s3, bucket, f"out/x/AWSDynamoDB/{id}/manifest-summary.checksum")
    assert [e["ExportArn"] for e in ddb.list_exports(TableArn=arn)["ExportSummaries"]] == [d["ExportArn"]]


def test_a_table_as_it_was(ddb, s3, table, bucket):
    name, arn = table
    ddb.put_item(TableName=name, Item={"pk": {"S": "a"}, "v": {"N": "1"}})
    time.sleep(2.1)  # times of requests have whole seconds
    then = datetime.datetime.now(datetime.timezone.utc)
    time.sleep(1.1)
    ddb.put_item(TableName=name, Item={"pk": {"S": "a"}, "v": {"N": "2"}})
    ddb.put_item(TableName=name, Item={"pk": {"S": "b"}})
    d = exported(ddb, ddb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, ExportTime=then)["ExportDescription"]["ExportArn"])
    assert data(s3, bucket, d["ExportManifest"]) == [{"Item": {"pk": {"S": "a"}, "v": {"N": "1"}}}]
    ddb.delete_item(TableName=name, Key={"pk": {"S": "b"}})
    d = exported(ddb, ddb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification={
        "ExportFromTime": then})["ExportDescription"]["ExportArn"])
    lines = data(s3, bucket, d["ExportManifest"])
    assert len(lines) == 1 and int(lines[0]["Metadata"].pop("WriteTimestampMicros")["N"]) > then.timestamp() * 1e6
    assert lines[0] == {"Metadata": {}, "Keys": {"pk": {"S": "a"}}, "OldImage": {"pk": {"S": "a"}, "v": {"N": "1"}}, "NewImage": {"pk": {"S": "a"}, "v": {"N": "2"}}}
    summary = json.loads(body(s3, bucket, d["ExportManifest"]))
    assert summary["outputView"] == "NEW_AND_OLD_IMAGES" and summary["exportType"] == "INCREMENTAL_EXPORT" and summary["version"] == "2023-08-01"


def test_exports_that_are_refused(ddb, table, bucket):
    name, arn = table
    early = datetime.datetime(2020, 1, 1)
    refused("InvalidExportTimeException", ddb.export_table_to_point_in_time, TableArn=arn, S3Bucket=bucket, ExportTime=early)
    refused("TableNotFoundException", ddb.export_table_to_point_in_time, TableArn=arn + "x", S3Bucket=bucket)
    assert "ION" in refused("NotImplemented", ddb.export_table_to_point_in_time, TableArn=arn, S3Bucket=bucket, ExportFormat="ION")
    refused("ExportNotFoundException", ddb.describe_export, ExportArn=arn + "/export/01234567890123-a1b2c3d4")
    d = ddb.export_table_to_point_in_time(TableArn=arn, S3Bucket=unique("none"), ClientToken="t" + name)["ExportDescription"]
    again = ddb.export_table_to_point_in_time(TableArn=arn, S3Bucket=d["S3Bucket"], ClientToken="t" + name)["ExportDescription"]
    assert again["ExportArn"] == d["ExportArn"]
    refused("ExportConflictException", ddb.export_table_to_point_in_time, TableArn=arn, S3Bucket=bucket, ClientToken="t" + name)
    failed = exported(ddb, d["ExportArn"], "FAILED")
    assert failed["FailureCode"] == "S3NoSuchBucket"
    ddb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False})
    refused("PointInTimeRecoveryUnavailableException", ddb.export_table_to_point_in_time, TableArn=arn, S3Bucket=bucket)


def imported(ddb, bucket, status="COMPLETED", keys=("pk", "S"), **kw):
    name = unique("table")
    d = ddb.import_table(S3BucketSource={"S3Bucket": bucket, **kw.pop("source", {})}, TableCreationParameters={
        "TableName": name, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": keys[0], "AttributeType": keys[1]}],
        "KeySchema": [{"AttributeName": keys[0], "KeyType": "HASH"}]}, **kw)["ImportTableDescription"]
    assert d["ImportStatus"] == "IN_PROGRESS" and d["ImportArn"].startswith(d["TableArn"] + "/import/")

    def ended():
        now = ddb.describe_import(ImportArn=d["ImportArn"])["ImportTableDescription"]
        return now if now["ImportStatus"] != "IN_PROGRESS" else None
    d = eventually(ended)
    assert d["ImportStatus"] == status, d
    eventually(lambda: ddb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE")
    return name, d


def test_there_and_back(ddb, s3, table, bucket):
    name, arn = table
    for item in ITEMS:
        ddb.put_item(TableName=name, Item=item)
    d = exported(ddb, ddb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket)["ExportDescription"]["ExportArn"])
    prefix = d["ExportManifest"].replace("manifest-summary.json", "data/")
    copy, d = imported(ddb, bucket, InputFormat="DYNAMODB_JSON", InputCompressionType="GZIP", source={"S3KeyPrefix": prefix})
    assert (d["ProcessedItemCount"], d["ImportedItemCount"], d["ErrorCount"]) == (3, 3, 0) and d["ProcessedSizeBytes"] > 0
    for item in ITEMS:
        assert ddb.get_item(TableName=copy, Key={"pk": item["pk"]})["Item"].keys() == item.keys()
    assert d["ImportArn"] in [i["ImportArn"] for i in ddb.list_imports(TableArn=d["TableArn"])["ImportSummaryList"]]


def test_rows_of_a_spreadsheet(ddb, s3, bucket):
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body="id,name\n1,Ann\n2,\"B, o\"\nx,wrong\n3,too,many\n")
    name, d = imported(ddb, bucket, InputFormat="CSV", source={"S3KeyPrefix": "in/"}, keys=("id", "N"))
    assert (d["ProcessedItemCount"], d["ImportedItemCount"], d["ErrorCount"]) == (4, 2, 2)
    assert ddb.get_item(TableName=name, Key={"id": {"N": "2"}})["Item"] == {"id": {"N": "2"}, "name": {"S": "B, o"}}
    s3.put_object(Bucket=bucket, Key="tab", Body="k1\tv1\nk2\tv2\n")
    name, d = imported(ddb, bucket, InputFormat="CSV", source={"S3KeyPrefix": "tab"}, keys=("k", "S"),
                       InputFormatOptions={"Csv": {"Delimiter": "\t", "HeaderList": ["k", "v"]}})
    assert ddb.scan(TableName=name)["Count"] == 2


def test_imports_that_fail(ddb, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body='{"Item":{"pk":{"S":"a"}}}\nnonsense\n{"Item":{"x":{"S":"no key"}}}\n{"Item":{"pk":{"N":"1"}}}\n')
    name, d = imported(ddb, bucket, InputFormat="DYNAMODB_JSON")
    assert (d["ProcessedItemCount"], d["ImportedItemCount"], d["ErrorCount"]) == (4, 1, 3)
    _, d = imported(ddb, unique("none"), "FAILED", InputFormat="DYNAMODB_JSON")
    assert d["FailureCode"] == "S3NoSuchBucket"
    refused("ResourceInUseException", ddb.import_table, S3BucketSource={"S3Bucket": bucket}, InputFormat="CSV", TableCreationParameters={
        "TableName": name, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}]})
    refused("ImportNotFoundException", ddb.describe_import, ImportArn=d["TableArn"] + "/import/01234567890123-a1b2c3d4")
