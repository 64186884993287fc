"""Buckets and objects, with boto3: what AWS answers, down to the fields of its errors."""
import base64
import datetime
import hashlib
import os
import socket
import zlib

import botocore.exceptions
import pytest
from botocore.config import Config
from conftest import make_client, unique

MIB = 1 << 20


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


def refused(code, call, status=None, **kw):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**kw)
    error = e.value.response
    assert error["Error"]["Code"] == code, error
    if status:
        assert error["ResponseMetadata"]["HTTPStatusCode"] == status, error
    return error


def told(error):
    """What an error says, without its code."""
    return {k: v for k, v in error["Error"].items() if k != "Code"}


def md5(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def body(s3, **kw):
    return s3.get_object(**kw)["Body"].read()


# https://github.com/localstack/localstack/blob/main/tests/aws/services/s3/test_s3.snapshot.json
@pytest.mark.parametrize("name", ["ab", "a" * 64, "Upper", "under_score", "-a-bucket", "a-bucket-", "192.168.5.4", "a..b", "xn--bucket", "bucket-s3alias"])
def test_bad_bucket_names(s3, name):
    s3 = make_client(s3.meta.endpoint_url, "s3", config=Config(s3={"addressing_style": "path"}))
    s3.meta.events.unregister("before-parameter-build.s3", botocore.handlers.validate_bucket_name)
    assert told(refused("InvalidBucketName", s3.create_bucket, 400, Bucket=name)) == {
        "Message": "The specified bucket is not valid.", "BucketName": name}


def test_buckets(s3, client):
    first, second = sorted([unique("list"), unique("list")])
    assert s3.create_bucket(Bucket=first)["Location"] == f"/{first}"
    s3.create_bucket(Bucket=second, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    mine = s3.list_buckets(Prefix="list-")
    assert {first, second} <= {b["Name"] for b in mine["Buckets"]} and mine["Prefix"] == "list-"
    pages = [p["Buckets"] for p in s3.get_paginator("list_buckets").paginate(Prefix="list-", PaginationConfig={"PageSize": 1})]
    assert all(len(p) == 1 for p in pages) and [p[0]["Name"] for p in pages] == [b["Name"] for b in mine["Buckets"]]
    assert [b["Name"] for b in s3.list_buckets(BucketRegion="eu-west-1", Prefix=second)["Buckets"]] == [second]
    assert s3.get_bucket_location(Bucket=first)["LocationConstraint"] is None
    assert s3.get_bucket_location(Bucket=second)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=second)["BucketRegion"] == "eu-west-1"

    s3.create_bucket(Bucket=first)  # in us-east-1 that it is there already is no error
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, 409, Bucket=second, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    other = client("s3", aws_access_key_id="111111111111")
    refused("BucketAlreadyExists", other.create_bucket, 409, Bucket=first)
    west = client("s3", region_name="eu-west-1")
    refused("IllegalLocationConstraintException", west.create_bucket, 400, Bucket=unique())
    refused("IllegalLocationConstraintException", west.create_bucket, 400, Bucket=unique(), CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    refused("InvalidLocationConstraint", s3.create_bucket, 400, Bucket=unique(), CreateBucketConfiguration={"LocationConstraint": "us-east-1"})

    s3.put_object(Bucket=first, Key="k")
    assert told(refused("BucketNotEmpty", s3.delete_bucket, 409, Bucket=first))["BucketName"] == first
    s3.delete_object(Bucket=first, Key="k")
    s3.delete_bucket(Bucket=first)
    assert told(refused("NoSuchBucket", s3.list_objects_v2, 404, Bucket=first)) == {
        "Message": "The specified bucket does not exist", "BucketName": first}
    refused("404", s3.head_bucket, 404, Bucket=first)
    for call in (s3.put_object, s3.get_object, s3.delete_object, s3.create_multipart_upload):
        refused("NoSuchBucket", call, 404, Bucket=first, Key="k")
    refused("403", s3.head_bucket, 403, Bucket=second, ExpectedBucketOwner="111111111111")
    refused("AccessDenied", s3.put_object, 403, Bucket=second, Key="k", ExpectedBucketOwner="111111111111")


@pytest.mark.parametrize("size", [0, 1, 4096, 64 << 10, (64 << 10) + 1, 3 * MIB + 7])
def test_put_and_get(s3, bucket, size):
    data = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="a key/ü+&?#.txt", Body=data, ContentType="text/x", CacheControl="no-cache", ContentDisposition="inline",
                        ContentEncoding="gzip", ContentLanguage="de", Expires=datetime.datetime(2030, 1, 2, tzinfo=datetime.timezone.utc),
                        Metadata={"Camel-Case": "Value", "empty": ""}, StorageClass="STANDARD_IA")
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    assert put["ETag"] == md5(data) and put["ServerSideEncryption"] == "AES256" and "VersionId" not in put
    assert (put["ChecksumCRC32"], put["ChecksumType"]) == (crc, "FULL_OBJECT")
    got = s3.get_object(Bucket=bucket, Key="a key/ü+&?#.txt", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    head = s3.head_object(Bucket=bucket, Key="a key/ü+&?#.txt", ChecksumMode="ENABLED")
    for seen in got, head:
        want = {"ContentLength": size, "ContentType": "text/x", "CacheControl": "no-cache", "ContentDisposition": "inline", "ContentEncoding": "gzip",
                "ContentLanguage": "de", "ExpiresString": "Wed, 02 Jan 2030 00:00:00 GMT", "Metadata": {"camel-case": "Value", "empty": ""},
                "StorageClass": "STANDARD_IA", "ETag": md5(data), "AcceptRanges": "bytes", "ServerSideEncryption": "AES256",
                "ChecksumCRC32": crc, "ChecksumType": "FULL_OBJECT"}
        assert {k: seen.get(k) for k in want} == want
        assert "VersionId" not in seen and "PartsCount" not in seen
    assert "ChecksumCRC32" not in s3.head_object(Bucket=bucket, Key="a key/ü+&?#.txt")
    other = s3.get_object(Bucket=bucket, Key="a key/ü+&?#.txt", ResponseContentType="text/y", ResponseCacheControl="c", ResponseContentDisposition="d",
                          ResponseContentEncoding="e", ResponseContentLanguage="l", ResponseExpires=datetime.datetime(2031, 1, 1))
    assert (other["ContentType"], other["CacheControl"], other["ContentDisposition"], other["ContentEncoding"], other["ContentLanguage"]) == ("text/y", "c", "d", "e", "l")


def test_the_usual_is_not_told(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["ContentType"] == "binary/octet-stream" and got["Metadata"] == {}
    assert not {"StorageClass", "CacheControl", "ContentEncoding", "Expires", "TagCount", "MissingMeta"} & set(got)


@pytest.mark.parametrize("spec, want", [
    ("bytes=0-3", "0123"), ("bytes=4-", "456789"), ("bytes=-3", "789"), ("bytes=-99", "0123456789"), ("bytes=9-99", "9"), ("bytes=0-0", "0")])
def test_ranges(s3, bucket, spec, want):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=spec)
    first = "0123456789".index(want)
    assert got["Body"].read() == want.encode() and got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {first}-{first + len(want) - 1}/10" and got["ContentLength"] == len(want)
    head = s3.head_object(Bucket=bucket, Key="k", Range=spec)
    assert head["ContentLength"] == len(want) and head["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_ranges_that_are_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    for spec in ("bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b", "bytes=-", "nonsense"):
        got = s3.get_object(Bucket=bucket, Key="k", Range=spec)
        assert got["Body"].read() == b"0123456789" and got["ResponseMetadata"]["HTTPStatusCode"] == 200, spec
    assert told(refused("InvalidRange", s3.get_object, 416, Bucket=bucket, Key="k", Range="bytes=10-")) == {
        "Message": "The requested range is not satisfiable", "ActualObjectSize": "10", "RangeRequested": "bytes=10-"}
    refused("InvalidRange", s3.get_object, 416, Bucket=bucket, Key="k", Range="bytes=-0")
    refused("InvalidRange", s3.get_object, 416, Bucket=bucket, Key="empty", Range="bytes=0-")
    refused("416", s3.head_object, 416, Bucket=bucket, Key="k", Range="bytes=10-")


def test_what_is_not_there(s3, bucket):
    assert told(refused("NoSuchKey", s3.get_object, 404, Bucket=bucket, Key="none")) == {"Message": "The specified key does not exist.", "Key": "none"}
    refused("404", s3.head_object, 404, Bucket=bucket, Key="none")
    refused("InvalidArgument", s3.get_object, 400, Bucket=bucket, Key="none", VersionId="bogus")
    assert s3.delete_object(Bucket=bucket, Key="none")["ResponseMetadata"]["HTTPStatusCode"] == 204
    refused("NotImplemented", s3.select_object_content, 501, Bucket=bucket, Key="k", Expression="SELECT * FROM s3object", ExpressionType="SQL",
            InputSerialization={"JSON": {"Type": "LINES"}}, OutputSerialization={"JSON": {}})
    s3.put_object(Bucket=bucket, Key="k")
    refused("InvalidObjectState", s3.restore_object, 403, Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
    s3.put_object(Bucket=bucket, Key="cold", StorageClass="GLACIER")
    assert told(refused("InvalidObjectState", s3.get_object, 403, Bucket=bucket, Key="cold"))["StorageClass"] == "GLACIER"
    s3.restore_object(Bucket=bucket, Key="cold", RestoreRequest={"Days": 1})
    assert s3.get_object(Bucket=bucket, Key="cold")["Body"].read() == b""


def test_a_refusal_reaches_a_client_that_sends_on(s3):
    host, port = s3.meta.endpoint_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as c:
        c.sendall(f"PUT /{unique('none')}/k HTTP/1.1\r\nHost: {host}\r\nContent-Length: {20 * MIB}\r\nAuthorization: AWS4-HMAC-SHA256 Credential="
                  "test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n".encode())
        for _ in range(20):
            c.sendall(bytes(MIB))
        assert c.recv(100).startswith(b"HTTP/1.1 404 ")


def test_bad_puts(s3, bucket):
    def bad(code, status=400, **kw):
        return told(refused(code, s3.put_object, status, **{"Bucket": bucket, "Key": "k", **kw}))
    assert bad("KeyTooLongError", Key="k" * 1025) == {"Message": "Your key is too long", "Size": "1025", "MaxSizeAllowed": "1024"}
    assert bad("InvalidStorageClass", StorageClass="LUKEWARM")["StorageClassRequested"] == "LUKEWARM"
    assert bad("MetadataTooLarge", Metadata={"k": "v" * 2048})["MaxSizeAllowed"] == "2048"
    bad("InvalidRedirectLocation", WebsiteRedirectLocation="elsewhere")
    bad("InvalidDigest", Body=b"x", ContentMD5="x")
    bad("BadDigest", Body=b"x", ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode())
    bad("BadDigest", Body=b"x", ChecksumSHA256=base64.b64encode(hashlib.sha256(b"y").digest()).decode())
    refused("404", s3.head_object, Bucket=bucket, Key="k")


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "CRC32"])
def test_checksums(s3, bucket, algorithm):
    data = os.urandom(100_000)
    digest = zlib.crc32(data).to_bytes(4, "big") if algorithm == "CRC32" else hashlib.new(algorithm, data).digest()
    want = base64.b64encode(digest).decode()
    for how in ({"ChecksumAlgorithm": algorithm}, {"Checksum" + algorithm: want}):
        assert s3.put_object(Bucket=bucket, Key="k", Body=data, **how)["Checksum" + algorithm] == want
        got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert got["Checksum" + algorithm] == want and got["Body"].read() == data
        attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize", "ETag", "StorageClass", "ObjectParts"])
        assert attributes["Checksum"] == {"Checksum" + algorithm: want, "ChecksumType": "FULL_OBJECT"}
        assert (attributes["ETag"], attributes["ObjectSize"], attributes["StorageClass"]) == (md5(data).strip('"'), 100_000, "STANDARD")
        assert "ObjectParts" not in attributes
        listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
        assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")


def test_a_checksum_is_made_where_none_is_given(endpoint, bucket):
    s3 = make_client(endpoint, "s3", config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"123456789")
    # The check value of CRC-64/NVME: https://reveng.sourceforge.io/crc-catalogue/17plus.htm#crc.cat.crc-64-nvme
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"] == base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()


def test_conditional_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    now = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = now - datetime.timedelta(seconds=60), now + datetime.timedelta(seconds=60)
    for ok in ({"IfMatch": etag}, {"IfMatch": etag.strip('"')}, {"IfMatch": "*"}, {"IfNoneMatch": '"other"'}, {"IfModifiedSince": before}, {"IfUnmodifiedSince": now},
               {"IfMatch": etag, "IfUnmodifiedSince": before}, {"IfNoneMatch": '"other"', "IfModifiedSince": after}):
        assert body(s3, Bucket=bucket, Key="k", **ok) == b"x", ok
    for bad, condition in (({"IfMatch": '"other"'}, "If-Match"), ({"IfUnmodifiedSince": before}, "If-Unmodified-Since")):
        assert told(refused("PreconditionFailed", s3.get_object, 412, Bucket=bucket, Key="k", **bad)) == {
            "Message": "At least one of the pre-conditions you specified did not hold", "Condition": condition}
        refused("412", s3.head_object, 412, Bucket=bucket, Key="k", **bad)
    for same in ({"IfNoneMatch": etag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": now}, {"IfNoneMatch": etag, "IfModifiedSince": before}):
        error = refused("304", s3.get_object, 304, Bucket=bucket, Key="k", **same)
        assert error["ResponseMetadata"]["HTTPHeaders"]["etag"] == etag
        refused("304", s3.head_object, 304, Bucket=bucket, Key="k", **same)


def test_conditional_writes(s3, bucket):
    assert told(refused("NoSuchKey", s3.put_object, 404, Bucket=bucket, Key="k", Body=b"x", IfMatch='"x"'))["Key"] == "k"
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert told(refused("PreconditionFailed", s3.put_object, 412, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*"))["Condition"] == "If-None-Match"
    assert told(refused("PreconditionFailed", s3.put_object, 412, Bucket=bucket, Key="k", Body=b"2", IfMatch='"x"'))["Condition"] == "If-Match"
    refused("NotImplemented", s3.put_object, 501, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch=etag)
    refused("NotImplemented", s3.put_object, 501, Bucket=bucket, Key="k", Body=b"2", IfMatch="*")
    refused("NotImplemented", s3.put_object, 501, Bucket=bucket, Key="k", Body=b"2", IfMatch=etag, IfNoneMatch="*")
    assert body(s3, Bucket=bucket, Key="k") == b"1"
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)["ETag"]
    refused("PreconditionFailed", s3.delete_object, 412, Bucket=bucket, Key="k", IfMatch=etag)
    refused("PreconditionFailed", s3.copy_object, 412, Bucket=bucket, Key="k", CopySource=f"{bucket}/k", MetadataDirective="REPLACE", IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=second)
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfNoneMatch="*")


def test_lists(s3, bucket):
    for key in ("a", "dir/1", "dir/2", "dir/sub/3", "e f", "g+h", "ü"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    whole = s3.list_objects_v2(Bucket=bucket)
    assert [o["Key"] for o in whole["Contents"]] == ["a", "dir/1", "dir/2", "dir/sub/3", "e f", "g+h", "ü"]
    assert (whole["KeyCount"], whole["MaxKeys"], whole["IsTruncated"], whole["Name"], whole["Prefix"]) == (7, 1000, False, bucket, "")
    assert not {"NextContinuationToken", "CommonPrefixes", "Delimiter", "StartAfter"} & set(whole) and "Owner" not in whole["Contents"][0]
    one = whole["Contents"][0]
    assert (one["ETag"], one["Size"], one["StorageClass"]) == (md5(b"x"), 1, "STANDARD")
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"] == s3.list_buckets()["Owner"]

    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert ([o["Key"] for o in top["Contents"]], [p["Prefix"] for p in top["CommonPrefixes"]], top["KeyCount"]) == (["a"], ["dir/"], 2)
    rest = s3.list_objects_v2(Bucket=bucket, Delimiter="/", ContinuationToken=top["NextContinuationToken"])
    assert [o["Key"] for o in rest["Contents"]] == ["e f", "g+h", "ü"] and "CommonPrefixes" not in rest
    below = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="dir/")
    assert ([o["Key"] for o in below["Contents"]], [p["Prefix"] for p in below["CommonPrefixes"]]) == (["dir/1", "dir/2"], ["dir/sub/"])
    after = s3.list_objects_v2(Bucket=bucket, StartAfter="dir/2")
    assert [o["Key"] for o in after["Contents"]] == ["dir/sub/3", "e f", "g+h", "ü"] and after["StartAfter"] == "dir/2"
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)

    old = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert (old["NextMarker"], old["IsTruncated"], old["Marker"], old["Contents"][0]["Owner"]) == ("dir/", True, "", s3.list_buckets()["Owner"])
    assert [o["Key"] for o in s3.list_objects(Bucket=bucket, Delimiter="/", Marker="dir/")["Contents"]] == ["e f", "g+h", "ü"]
    assert "NextMarker" not in s3.list_objects(Bucket=bucket, MaxKeys=2)
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    assert [[o["Key"] for o in p["Contents"]] for p in pages] == [["a", "dir/1", "dir/2"], ["dir/sub/3", "e f", "g+h"], ["ü"]]

    raw = s3.list_objects_v2(Bucket=bucket, EncodingType="url", Prefix="e ")
    assert raw["Contents"][0]["Key"] == "e+f" and raw["EncodingType"] == "url"
    assert told(refused("InvalidArgument", s3.list_objects_v2, 400, Bucket=bucket, ContinuationToken="nonsense")) == {
        "Message": "The continuation token provided is incorrect", "ArgumentName": "continuation-token"}
    refused("InvalidArgument", s3.list_objects_v2, 400, Bucket=bucket, MaxKeys=-1)
    refused("InvalidArgument", s3.list_objects_v2, 400, Bucket=bucket, EncodingType="base64")


def test_versions(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % i)["VersionId"] for i in range(3)]
    assert all(len(i) == 32 for i in ids) and body(s3, Bucket=bucket, Key="k") == b"2"
    assert [body(s3, Bucket=bucket, Key="k", VersionId=i) for i in ["null", *ids]] == [b"null", b"0", b"1", b"2"]
    gone = s3.delete_object(Bucket=bucket, Key="k")
    assert gone["DeleteMarker"] and gone["VersionId"] not in ids
    error = refused("NoSuchKey", s3.get_object, 404, Bucket=bucket, Key="k")
    assert error["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert error["ResponseMetadata"]["HTTPHeaders"]["x-amz-version-id"] == gone["VersionId"]
    error = refused("MethodNotAllowed", s3.get_object, 405, Bucket=bucket, Key="k", VersionId=gone["VersionId"])
    assert (error["Error"]["Method"], error["Error"]["ResourceType"], error["ResponseMetadata"]["HTTPHeaders"]["allow"]) == ("GET", "DeleteMarker", "DELETE")
    listed = s3.list_object_versions(Bucket=bucket)
    assert [(v["VersionId"], v["IsLatest"]) for v in listed["Versions"]] == [(i, False) for i in [*reversed(ids), "null"]]
    assert [(m["VersionId"], m["IsLatest"]) for m in listed["DeleteMarkers"]] == [(gone["VersionId"], True)]
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=2)
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("k", ids[2])
    rest = s3.list_object_versions(Bucket=bucket, KeyMarker="k", VersionIdMarker=ids[2])
    assert [v["VersionId"] for v in rest["Versions"]] == [ids[1], ids[0], "null"] and not any(v["IsLatest"] for v in rest["Versions"])
    refused("InvalidArgument", s3.list_object_versions, 400, Bucket=bucket, VersionIdMarker=ids[0])
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)

    back = s3.delete_object(Bucket=bucket, Key="k", VersionId=gone["VersionId"])
    assert back["DeleteMarker"] and back["VersionId"] == gone["VersionId"] and body(s3, Bucket=bucket, Key="k") == b"2"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == ids[1]
    refused("NoSuchVersion", s3.get_object, 404, Bucket=bucket, Key="k", VersionId=ids[2])

    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"new null")
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    assert body(s3, Bucket=bucket, Key="k", VersionId="null") == b"new null"
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == ["null", ids[1], ids[0]]
    assert s3.delete_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]] == [ids[1], ids[0]]
    refused("BucketNotEmpty", s3.delete_bucket, 409, Bucket=bucket)


def test_deleting_many(s3, bucket):
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key)
    out = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "none"}]})
    assert out["Deleted"] == [{"Key": "a"}, {"Key": "none"}] and "Errors" not in out
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}]})["Deleted"][0]
    assert one["DeleteMarker"] and one["DeleteMarkerVersionId"]
    out = s3.delete_objects(Bucket=bucket, Delete={"Objects": [
        {"Key": "c", "VersionId": one["DeleteMarkerVersionId"]}, {"Key": "c", "VersionId": "null"}, {"Key": "c", "VersionId": "bogus"}]})
    assert [d["VersionId"] for d in out["Deleted"]] == [one["DeleteMarkerVersionId"], "null"] and out["Deleted"][0]["DeleteMarker"]
    assert [(e["Code"], e["VersionId"]) for e in out["Errors"]] == [("InvalidArgument", "bogus")]
    refused("MalformedXML", s3.delete_objects, 400, Bucket=bucket, Delete={"Objects": [{"Key": str(i)} for i in range(1001)]})
    refused("MalformedXML", s3.delete_objects, 400, Bucket=bucket, Delete={"Objects": []})


def test_copies(s3, bucket):
    data = os.urandom(100_000)
    source = s3.put_object(Bucket=bucket, Key="from/ü +", Body=data, ContentType="text/x", Metadata={"a": "1"}, CacheControl="c", Tagging="t=1", StorageClass="STANDARD_IA")
    out = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from/ü +"})
    assert out["CopyObjectResult"]["ETag"] == source["ETag"] and out["CopyObjectResult"]["ChecksumCRC32"] == source["ChecksumCRC32"]
    got = s3.get_object(Bucket=bucket, Key="to")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"], got["CacheControl"], got["TagCount"]) == (data, "text/x", {"a": "1"}, "c", 1)
    assert "StorageClass" not in got  # the class is not copied
    s3.copy_object(Bucket=bucket, Key="to", CopySource=f"/{bucket}/from/ü +", MetadataDirective="REPLACE", Metadata={"b": "2"}, TaggingDirective="REPLACE",
                   Tagging="u=2&v=3", ChecksumAlgorithm="SHA256")
    got = s3.get_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")
    assert (got["ContentType"], got["Metadata"], got["TagCount"]) == ("binary/octet-stream", {"b": "2"}, 2) and "CacheControl" not in got
    assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()

    refused("InvalidRequest", s3.copy_object, 400, Bucket=bucket, Key="to", CopySource=f"{bucket}/to")
    s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/to", StorageClass="ONEZONE_IA")
    refused("NoSuchKey", s3.copy_object, 404, Bucket=bucket, Key="to", CopySource=f"{bucket}/none")
    refused("NoSuchBucket", s3.copy_object, 404, Bucket=bucket, Key="to", CopySource=f"{unique()}/none")
    refused("InvalidArgument", s3.copy_object, 400, Bucket=bucket, Key="to", CopySource=f"{bucket}/to", MetadataDirective="MAYBE")
    for bad in ("CopySourceIfMatch", '"x"'), ("CopySourceIfNoneMatch", source["ETag"]), ("CopySourceIfUnmodifiedSince", datetime.datetime(2020, 1, 1)):
        error = refused("PreconditionFailed", s3.copy_object, 412, Bucket=bucket, Key="x", CopySource=f"{bucket}/to", **dict([bad]))
        assert error["Error"]["Condition"].startswith("x-amz-copy-source-If-")

    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="v", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="v")["VersionId"]
    out = s3.copy_object(Bucket=bucket, Key="v", CopySource={"Bucket": bucket, "Key": "v", "VersionId": first})
    assert out["CopySourceVersionId"] == first and out["VersionId"] not in (first, marker) and body(s3, Bucket=bucket, Key="v") == b"1"
    refused("InvalidRequest", s3.copy_object, 400, Bucket=bucket, Key="v", CopySource={"Bucket": bucket, "Key": "v", "VersionId": marker})


def test_multipart(s3, bucket):
    data = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"end"]
    start = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="text/x", Metadata={"a": "1"}, ChecksumAlgorithm="CRC32")
    upload = {"Bucket": bucket, "Key": "k", "UploadId": start["UploadId"]}
    assert start["Bucket"] == bucket and (start["ChecksumAlgorithm"], start["ChecksumType"]) == ("CRC32", "COMPOSITE")
    s3.put_object(Bucket=bucket, Key="source", Body=data[1] + b"more")
    parts = []
    for n, piece in ((1, data[0]), (3, data[2])):
        out = s3.upload_part(**upload, PartNumber=n, Body=piece)
        assert out["ETag"] == md5(piece)
        parts.append({"PartNumber": n, "ETag": out["ETag"], "ChecksumCRC32": out["ChecksumCRC32"]})
    copied = s3.upload_part_copy(**upload, PartNumber=2, CopySource=f"{bucket}/source", CopySourceRange=f"bytes=0-{5 * MIB - 1}")["CopyPartResult"]
    parts.insert(1, {"PartNumber": 2, "ETag": copied["ETag"], "ChecksumCRC32": copied["ChecksumCRC32"]})
    refused("InvalidArgument", s3.upload_part_copy, 400, **upload, PartNumber=4, CopySource=f"{bucket}/source", CopySourceRange=f"bytes=0-{6 * MIB}")
    refused("InvalidArgument", s3.upload_part, 400, **upload, PartNumber=10001, Body=b"")

    listed = s3.list_parts(**upload)
    assert [(p["PartNumber"], p["Size"]) for p in listed["Parts"]] == [(1, 5 * MIB), (2, 5 * MIB), (3, 3)] and listed["StorageClass"] == "STANDARD"
    mine = s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]
    assert (mine["Key"], mine["UploadId"], mine["Owner"]["ID"]) == ("k", start["UploadId"], s3.list_buckets()["Owner"]["ID"])
    refused("NoSuchKey", s3.get_object, 404, Bucket=bucket, Key="k")

    unlike = [{**p, "ChecksumCRC32": None} for p in parts]
    bad = [
        ("InvalidPartOrder", list(reversed(parts)), {}), ("InvalidPart", [{**parts[0], "ETag": md5(b"x")}], {}),
        ("InvalidRequest", [{k: v for k, v in p.items() if v} for p in unlike], {}), ("EntityTooSmall", [parts[2], {**parts[2], "PartNumber": 4}], {}),
        ("InvalidRequest", parts, {"MpuObjectSize": 7}), ("InvalidRequest", parts, {"ChecksumType": "FULL_OBJECT"})]
    s3.upload_part(**upload, PartNumber=4, Body=data[2])
    for code, given, more in bad:
        refused(code, s3.complete_multipart_upload, 400, **upload, MultipartUpload={"Parts": given}, **more)
    out = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, MpuObjectSize=10 * MIB + 3)
    etag = hashlib.md5(b"".join(hashlib.md5(d).digest() for d in data)).hexdigest()
    composite = base64.b64encode(zlib.crc32(b"".join(zlib.crc32(d).to_bytes(4, "big") for d in data)).to_bytes(4, "big")).decode()
    assert (out["ETag"], out["ChecksumCRC32"], out["ChecksumType"]) == (f'"{etag}-3"', composite + "-3", "COMPOSITE")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(data) and got["ContentType"] == "text/x" and got["Metadata"] == {"a": "1"}
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=2, ChecksumMode="ENABLED")
    assert second["Body"].read() == data[1] and second["PartsCount"] == 3 and second["ContentRange"] == f"bytes {5 * MIB}-{10 * MIB - 1}/{10 * MIB + 3}"
    assert body(s3, Bucket=bucket, Key="k", Range=f"bytes={5 * MIB - 2}-{10 * MIB + 1}") == data[0][-2:] + data[1] + data[2][:2]
    refused("InvalidPartNumber", s3.get_object, 416, Bucket=bucket, Key="k", PartNumber=9)
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=2)["ObjectParts"]
    assert (attributes["TotalPartsCount"], attributes["IsTruncated"], attributes["NextPartNumberMarker"], len(attributes["Parts"])) == (3, True, 2, 2)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k")["CopyObjectResult"]["ETag"] == md5(b"".join(data))

    refused("NoSuchUpload", s3.upload_part, 404, **upload, PartNumber=1, Body=b"")
    other = s3.create_multipart_upload(Bucket=bucket, Key="gone")
    s3.upload_part(Bucket=bucket, Key="gone", UploadId=other["UploadId"], PartNumber=1, Body=data[0])
    s3.abort_multipart_upload(Bucket=bucket, Key="gone", UploadId=other["UploadId"])
    assert told(refused("NoSuchUpload", s3.abort_multipart_upload, 404, Bucket=bucket, Key="gone", UploadId=other["UploadId"])) == {
        "Message": "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", "UploadId": other["UploadId"]}


def test_customers_keys(s3, bucket):
    with_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
    data = os.urandom(200_000)
    out = s3.put_object(Bucket=bucket, Key="k", Body=data, **with_key)
    assert out["SSECustomerAlgorithm"] == "AES256" and out["SSECustomerKeyMD5"] and "ServerSideEncryption" not in out
    assert body(s3, Bucket=bucket, Key="k", Range="bytes=70001-", **with_key) == data[70001:]
    assert told(refused("InvalidRequest", s3.get_object, 400, Bucket=bucket, Key="k"))["Message"].startswith("The object was stored using a form of Server Side Encryption.")
    refused("400", s3.head_object, 400, Bucket=bucket, Key="k")
    refused("AccessDenied", s3.get_object, 403, Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=os.urandom(32))
    s3.copy_object(Bucket=bucket, Key="open", CopySource=f"{bucket}/k", **{"CopySource" + k: v for k, v in with_key.items()})
    assert body(s3, Bucket=bucket, Key="open") == data
    refused("InvalidRequest", s3.get_object, 400, Bucket=bucket, Key="open", **with_key)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **with_key)["UploadId"]
    where = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    refused("InvalidRequest", s3.upload_part, 400, **where, PartNumber=1, Body=data)
    part = s3.upload_part(**where, PartNumber=1, Body=data, **with_key)
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]}, **with_key)
    assert body(s3, Bucket=bucket, Key="parts", **with_key) == data
