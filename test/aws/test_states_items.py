"""Where the items of distributed Map states come from beyond a plain file, and how their results are put, with boto3."""
import base64
import gzip
import json

import pytest

from conftest import unique
from test_states_map import ended, output

# Five rows of id, name and tags, in three groups, compressed with Snappy, as Apache Arrow wrote them.
PARQUET = base64.b64decode("""
UEFSMRUAFSwVMCwVBBUAFQYVBhwAAAAWVAIAAAAEAQAAAAAAAAAAAQAAAAAAAAAVABUkFSgsFQQVABUGFQYcAAAAEkQCAAAABAECAAAAbjACAAAAbjEVABUkFSgsFQQVABUGFQYcAAAA
EkQCAAAABAADAAAAAw0AAQAAAHgVABUsFS4sFQQVABUGFQYcAAAAFhQCAAAABAEBBiwAAAAAAwAAAAAAAAAVABUkFSgsFQQVABUGFQYcAAAAEkQCAAAABAECAAAAbjICAAAAbjMVABVK
FSosFQoVABUGFQYcAAAAJRQCAAAAAxoBBhgKAwEAAAB4TgUAFQAVHBUgLBUCFQAVBhUGHAAAAA40AgAAAAIBBAAAAAAAAAAVABUYFRwsFQIVABUGFQYcAAAADCwCAAAAAgECAAAAbjQV
ABVAFUIsFQgVABUGFQYcAAAAIBQCAAAAAw4BBlQIAwEAAAB4AQAAAHgBAAAAeAEAAAB4FQQZbDUAGAZzY2hlbWEVBgAVBCUCGAJpZAAVDCUCGARuYW1lJQBMHAAAADUCGAR0YWdzFQIV
Bkw8AAAANQQYBGxpc3QVAgAVDCUCGAdlbGVtZW50JQBMHAAAABYKGTwZPCYAHBUEGSUGABkYAmlkFQIWBBZSFlYmCEkcFQAVABUCADwpBhkmAAQAAAAmABwVDBklBgAZGARuYW1lFQIW
BBZKFk4mXkkcFQAVABUCADwWCBkGGSYABAAAACYAHBUMGSUGABk4BHRhZ3MEbGlzdAdlbGVtZW50FQIWBBZKFk4mrAFJHBUAFQAVAgA8FgIZJgQAGUYAAgACAAAAFuYBFgQmCBbyAQAZ
PCYAHBUEGSUGABkYAmlkFQIWBBZSFlQm+gFJHBUAFQAVAgA8KQYZJgAEAAAAJgAcFQwZJQYAGRgEbmFtZRUCFgQWShZOJs4CSRwVABUAFQIAPBYIGQYZJgAEAAAAJgAcFQwZJQYAGTgE
dGFncwRsaXN0B2VsZW1lbnQVAhYKFnAWUCacA0kcFQAVABUCADwWChkmBAYZRgAAAAoAAAAWjAIWBCb6ARbyAQAZPCYAHBUEGSUGABkYAmlkFQIWAhZCFkYm7ANJHBUAFQAVAgA8KQYZ
JgACAAAAJgAcFQwZJQYAGRgEbmFtZRUCFgIWPhZCJrIESRwVABUAFQIAPBYEGQYZJgACAAAAJgAcFQwZJQYAGTgEdGFncwRsaXN0B2VsZW1lbnQVAhYIFmYWaCb0BEkcFQAVABUCADwW
CBkmAgYZRgAAAAgAAAAW5gEWAibsAxbwAQAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGTwcAAAcAAAcAAAAiwIAAFBBUjE=
""")


@pytest.fixture(scope="module")
def sfn(client):
    return client("stepfunctions")


@pytest.fixture(scope="module")
def s3(client):
    return client("s3")


@pytest.fixture(scope="module")
def bucket(s3):
    name = unique("items")
    s3.create_bucket(Bucket=name)
    return name


PASSING = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


@pytest.fixture(scope="module")
def run(sfn):
    def go(payload=None, processor=PASSING, **fields):
        definition = {"StartAt": "M", "States": {"M": {
            "Type": "Map", "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}, **processor}, "End": True, **fields}}}
        return ended(sfn, definition, payload)
    return go


def reader(bucket, key, resource="getObject", parameters=None, **config):
    return {"Resource": f"arn:aws:states:::s3:{resource}", "Parameters": {"Bucket": bucket, ("Prefix" if resource == "listObjectsV2" else "Key"): key, **(parameters or {})},
            **({"ReaderConfig": config} if config else {})}


ROWS = [{"id": n, "name": f"n{n}", "tags": ["x"] * n} for n in range(5)]


def test_parquet(run, s3, bucket):
    s3.put_object(Bucket=bucket, Key="p/a.parquet", Body=PARQUET)
    assert output(run(ItemReader=reader(bucket, "p/a.parquet", InputType="PARQUET"))) == ROWS
    assert output(run(ItemReader=reader(bucket, "p/a.parquet", InputType="PARQUET", MaxItems=3))) == ROWS[:3]
    s3.put_object(Bucket=bucket, Key="bad.parquet", Body=b"something else")
    d = run(ItemReader=reader(bucket, "bad.parquet", InputType="PARQUET"))
    assert d["error"] == "States.ItemReaderFailed" and "not valid Parquet" in d["cause"]
    d = run(ItemReader=reader(bucket, "p/a.parquet", parameters={"VersionId": "v"}, InputType="PARQUET"))
    assert "VersionId is not supported" in d["cause"]


def test_packed_files(run, s3, bucket):
    s3.put_object(Bucket=bucket, Key="z.jsonl.gz", Body=gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert output(run(ItemReader=reader(bucket, "z.jsonl.gz", InputType="JSONL"))) == [{"a": 1}, {"a": 2}]
    # Zstandard, of "a,b\n1,2\n", without compression
    s3.put_object(Bucket=bucket, Key="z.csv.zstd", Body=bytes.fromhex("28b52ffd2008410000") + b"a,b\n1,2\n")
    assert output(run(ItemReader=reader(bucket, "z.csv.zstd", InputType="CSV", CSVHeaderLocation="FIRST_ROW"))) == [{"a": "1", "b": "2"}]
    s3.put_object(Bucket=bucket, Key="no.json.gz", Body=b"[1]")
    assert run(ItemReader=reader(bucket, "no.json.gz", InputType="JSON"))["error"] == "States.ItemReaderFailed"


@pytest.mark.parametrize("kind, files, items", [
    ("JSON", {"1": b"[1, 2]", "2": b"[3]", "folder/": b""}, [1, 2, 3]),
    ("JSONL", {"1": b'"a"\n"b"', "2": b'"c"'}, ["a", "b", "c"]),
    ("CSV", {"1": b"h\nx", "2": b"h\ny\nz"}, [{"h": "x"}, {"h": "y"}, {"h": "z"}]),
    ("PARQUET", {"1": PARQUET, "2": PARQUET}, ROWS + ROWS),
])
def test_files_of_a_listing(run, s3, bucket, kind, files, items):
    folder = unique("listed") + "/"
    for name, body in files.items():
        s3.put_object(Bucket=bucket, Key=folder + name, Body=body)
    config = {"InputType": kind, "Transformation": "LOAD_AND_FLATTEN", **({"CSVHeaderLocation": "FIRST_ROW"} if kind == "CSV" else {})}
    assert output(run(ItemReader=reader(bucket, folder, "listObjectsV2", **config))) == items
    sources = output(run(ItemReader=reader(bucket, folder, "listObjectsV2", **config), ItemSelector={"s.$": "$$.Map.Item.Source"}))
    assert {s["s"] for s in sources} == {f"S3://{bucket}/{folder}{name}" for name, body in files.items() if body}


def test_files_of_an_athena_manifest(run, s3, bucket):
    s3.put_object(Bucket=bucket, Key="out/1.gz", Body=gzip.compress(b'{"n": 1}\n'))
    s3.put_object(Bucket=bucket, Key="out/2.gz", Body=gzip.compress(b'{"n": 2}\n{"n": 3}\n'))
    s3.put_object(Bucket=bucket, Key="q-manifest.csv", Body=f"s3://{bucket}/out/1.gz\ns3://{bucket}/out/2.gz\n")
    assert output(run(ItemReader=reader(bucket, "q-manifest.csv", ManifestType="ATHENA_DATA", InputType="JSONL"))) == [{"n": 1}, {"n": 2}, {"n": 3}]
    s3.put_object(Bucket=bucket, Key="bad-manifest.csv", Body="nonsense\n")
    d = run(ItemReader=reader(bucket, "bad-manifest.csv", ManifestType="ATHENA_DATA", InputType="JSONL"))
    assert (d["error"], d["cause"]) == ("States.ItemReaderFailed", 'The manifest names "nonsense", which is no object')


@pytest.mark.parametrize("config", [{"InputType": "MANIFEST"}, {"ManifestType": "S3_INVENTORY"}])
def test_an_inventory(run, s3, bucket, config):
    s3.put_object(Bucket=bucket, Key="inv/1.csv.gz", Body=gzip.compress(b'"b","k1","10"\n"b","k2","20"\n'))
    s3.put_object(Bucket=bucket, Key="inv/manifest.json", Body=json.dumps({
        "sourceBucket": "b", "destinationBucket": f"arn:aws:s3:::{bucket}", "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", "files": [{"key": "inv/1.csv.gz"}]}))
    assert output(run(ItemReader=reader(bucket, "inv/manifest.json", **config))) == [{"Bucket": "b", "Key": "k1", "Size": "10"}, {"Bucket": "b", "Key": "k2", "Size": "20"}]


def test_an_owner_that_is_another(run, s3, bucket):
    s3.put_object(Bucket=bucket, Key="owned.json", Body="[1]")
    assert output(run(ItemReader=reader(bucket, "owned.json", parameters={"ExpectedBucketOwner": "000000000000"}, InputType="JSON"))) == [1]
    d = run(ItemReader=reader(bucket, "owned.json", parameters={"ExpectedBucketOwner": "111111111111"}, InputType="JSON"))
    assert d["error"] == "States.ItemReaderFailed"


LISTS = {"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$[0]", "NumericEquals": 5, "Next": "F"}], "Default": "P"},
                                    "P": {"Type": "Pass", "End": True}, "F": {"Type": "Fail", "Error": "Five"}}}


@pytest.mark.parametrize("config, want", [
    ({"Transformation": "COMPACT", "OutputType": "JSON"}, [[1, 2], [3]]),
    ({"Transformation": "FLATTEN", "OutputType": "JSON"}, [1, 2, 3]),
    ({"Transformation": "FLATTEN", "OutputType": "JSONL"}, "1\n2\n3\n"),
])
def test_results_of_the_state(run, config, want):
    assert output(run([[1, 2], [3], [5]], LISTS, ToleratedFailureCount=1, ResultWriter={"WriterConfig": config})) == want


def test_all_that_is_known_of_results(run):
    out = output(run([[1], [5]], LISTS, ToleratedFailureCount=1, ResultWriter={"WriterConfig": {"Transformation": "NONE", "OutputType": "JSON"}}))
    assert [(c["Status"], c.get("Output"), c.get("Error"), c["RedriveStatus"], c.get("RedriveStatusReason")) for c in out] == [
        ("SUCCEEDED", "[1]", None, "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"), ("FAILED", None, "Five", "REDRIVABLE_BY_MAP_RUN", None)]


def test_result_files(run, s3, bucket):
    def files(config):
        details = output(run([[1, 2], [3], [5]], LISTS, ToleratedFailureCount=1, ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": bucket, "Prefix": "out"}, "WriterConfig": config}))["ResultWriterDetails"]
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=details["Key"])["Body"].read())
        return {kind: [(f["Key"].rsplit("/", 1)[1], s3.get_object(Bucket=bucket, Key=f["Key"])["Body"].read().decode()) for f in listed]
                for kind, listed in manifest["ResultFiles"].items()}
    flat = files({"Transformation": "FLATTEN", "OutputType": "JSONL"})
    assert flat["SUCCEEDED"] == [("SUCCEEDED_0.jsonl", "1\n2\n3\n")] and flat["FAILED"][0][0] == "FAILED_0.jsonl"
    assert json.loads(flat["FAILED"][0][1])["Error"] == "Five", "what failed is not transformed"
    assert files({"Transformation": "COMPACT", "OutputType": "JSON"})["SUCCEEDED"] == [("SUCCEEDED_0.json", "[[1,2],[3]]")]


def test_results_that_are_too_much(run):
    big = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "x" * 100_000, "End": True}}}
    d = run([1, 2, 3], big, ResultWriter={"WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSON"}})
    assert d["error"] == "States.DataLimitExceeded"
