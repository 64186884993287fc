"""Versions that cannot be removed before their time, with boto3."""
import datetime
import json

import botocore.exceptions
import pytest
from conftest import unique


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    name = unique("bucket")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def refused(code, call, status=None, **kw):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**kw)
    assert e.value.response["Error"]["Code"] == code, e.value.response
    if status:
        assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    return e.value.response["Error"]


def later(days):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=days)


def test_the_configuration(s3, bucket):
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == {"ObjectLockEnabled": "Enabled"}
    refused("InvalidBucketState", s3.put_bucket_versioning, 409, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    plain = unique("bucket")
    s3.create_bucket(Bucket=plain)
    refused("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration, 404, Bucket=plain)
    refused("InvalidBucketState", s3.put_object_lock_configuration, 409, Bucket=plain, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    s3.put_object(Bucket=plain, Key="k", Body=b"")
    assert "Object Lock Configuration" in refused("InvalidRequest", s3.put_object_legal_hold, 400, Bucket=plain, Key="k", LegalHold={"Status": "ON"})["Message"]
    refused("InvalidRequest", s3.put_object, 400, Bucket=plain, Key="k", Body=b"", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(1))
    s3.put_bucket_versioning(Bucket=plain, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=plain, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    for rule in ({"Mode": "GOVERNANCE"}, {"Mode": "GOVERNANCE", "Days": 1, "Years": 1}):
        refused("MalformedXML", s3.put_object_lock_configuration, 400, Bucket=plain,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": rule}})
    refused("InvalidArgument", s3.put_object_lock_configuration, 400, Bucket=plain,
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 0}}})


def test_governance(s3, bucket):
    until = later(2)
    v = s3.put_object(Bucket=bucket, Key="k", Body=b"", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)["VersionId"]
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ObjectLockMode"] == "GOVERNANCE" and head["ObjectLockRetainUntilDate"] == until
    assert s3.get_object_retention(Bucket=bucket, Key="k")["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    s3.delete_object(Bucket=bucket, Key="k")  # a marker may hide it
    assert "object lock" in refused("AccessDenied", s3.delete_object, 403, Bucket=bucket, Key="k", VersionId=v)["Message"]
    errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": v}]})["Errors"]
    assert errors[0]["Code"] == "AccessDenied"
    weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": later(1)}
    refused("AccessDenied", s3.put_object_retention, 403, Bucket=bucket, Key="k", VersionId=v, Retention=weaker)
    s3.put_object_retention(Bucket=bucket, Key="k", VersionId=v, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": later(3)})
    s3.put_object_retention(Bucket=bucket, Key="k", VersionId=v, Retention=weaker, BypassGovernanceRetention=True)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=v, BypassGovernanceRetention=True)


def test_bypassing_must_be_allowed(s3, bucket):
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:BypassGovernanceRetention",
                                                                          "Resource": f"arn:aws:s3:::{bucket}/*"}]}))
    v = s3.put_object(Bucket=bucket, Key="k", Body=b"", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(2))["VersionId"]
    refused("AccessDenied", s3.delete_object, 403, Bucket=bucket, Key="k", VersionId=v, BypassGovernanceRetention=True)
    s3.delete_bucket_policy(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=v, BypassGovernanceRetention=True)


def test_compliance(s3, bucket):
    v = s3.put_object(Bucket=bucket, Key="k", Body=b"", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=later(2))["VersionId"]
    refused("AccessDenied", s3.delete_object, 403, Bucket=bucket, Key="k", VersionId=v, BypassGovernanceRetention=True)
    for weaker in ({"Mode": "COMPLIANCE", "RetainUntilDate": later(1)}, {"Mode": "GOVERNANCE", "RetainUntilDate": later(5)}):
        refused("AccessDenied", s3.put_object_retention, 403, Bucket=bucket, Key="k", Retention=weaker, BypassGovernanceRetention=True)
    s3.put_object_retention(Bucket=bucket, Key="k", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": later(9)})
    refused("InvalidArgument", s3.put_object_retention, 400, Bucket=bucket, Key="k", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": later(-1)})


def test_legal_hold(s3, bucket):
    v = s3.put_object(Bucket=bucket, Key="k", Body=b"")["VersionId"]
    refused("NoSuchObjectLockConfiguration", s3.get_object_legal_hold, 404, Bucket=bucket, Key="k")
    refused("NoSuchObjectLockConfiguration", s3.get_object_retention, 404, Bucket=bucket, Key="k")
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(Bucket=bucket, Key="k")["LegalHold"] == {"Status": "ON"}
    refused("AccessDenied", s3.delete_object, 403, Bucket=bucket, Key="k", VersionId=v, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    s3.delete_object(Bucket=bucket, Key="k", VersionId=v)


def test_a_bucket_keeps_what_says_nothing(s3, bucket):
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3}}})
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    kept = s3.get_object_retention(Bucket=bucket, Key="k")["Retention"]
    assert kept["Mode"] == "COMPLIANCE" and later(2) < kept["RetainUntilDate"] <= later(4)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"1")["ETag"]
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
    s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")
    for key in ("m", "c"):
        assert s3.get_object_retention(Bucket=bucket, Key=key)["Retention"]["Mode"] == "COMPLIANCE"
