"""What is set for a bucket as a whole, with boto3."""
import json

import botocore.exceptions
import pytest
from conftest import make_client, unique


@pytest.fixture
def s3(client):
    return client("s3")


@pytest.fixture
def bucket(s3):
    name = unique("bucket")
    s3.create_bucket(Bucket=name)
    return name


def refused(code, call, *args, status=None, **kw):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(*args, **kw)
    error = e.value.response
    assert error["Error"]["Code"] == code, error
    if status:
        assert error["ResponseMetadata"]["HTTPStatusCode"] == status, error
    return error["Error"]


def test_versioning(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    refused("IllegalVersioningConfigurationException", s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={})
    refused("MalformedXML", s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "On"})
    refused("NoSuchBucket", s3.get_bucket_versioning, Bucket=unique("none"), status=404)


def test_tags_of_a_bucket(s3, bucket):
    assert refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket, status=404)["BucketName"] == bucket
    tags = [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    same = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    refused("InvalidTag", s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": same})
    refused("InvalidTag", s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": [{"Key": "aws:x", "Value": "1"}]})
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=bucket)


def test_tags_of_an_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=x%20y")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "c", "Value": ""}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "c", "Value": ""}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    error = refused("InvalidArgument", s3.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="a=1&a=2")
    assert error["ArgumentName"] == "x-amz-tagging"
    many = {"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]}
    refused("BadRequest", s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=many)
    refused("NoSuchKey", s3.get_object_tagging, Bucket=bucket, Key="none")


def test_encryption(s3, bucket):
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/mine"}, "BucketKeyEnabled": True}]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ServerSideEncryption"] == "aws:kms" and head["BucketKeyEnabled"]
    assert head["SSEKMSKeyId"] == "arn:aws:kms:us-east-1:000000000000:alias/mine"
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x", ServerSideEncryption="AES256")
    assert s3.head_object(Bucket=bucket, Key="plain")["ServerSideEncryption"] == "AES256"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"
    refused("InvalidArgument", s3.put_bucket_encryption, Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "x"}}]})


def test_ownership_and_public_access(s3, bucket):
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=bucket, ACL="private")
    refused("AccessControlListNotSupported", s3.put_object, Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="bucket-owner-full-control")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    refused("AccessDenied", s3.put_bucket_acl, Bucket=bucket, ACL="public-read", status=403)
    s3.delete_public_access_block(Bucket=bucket)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=bucket, status=404)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    refused("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=bucket, status=404)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}


def test_acls(s3):
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket, ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=bucket)
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    full = {"Grantee": {"ID": owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == [full]
    everybody = {"URI": "http://acs.amazonaws.com/groups/global/AllUsers", "Type": "Group"}
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == [full, {"Grantee": everybody, "Permission": "READ"}, {"Grantee": everybody, "Permission": "WRITE"}]
    s3.put_bucket_acl(Bucket=bucket, GrantRead=f'uri="{everybody["URI"]}"', GrantFullControl=f"id={owner}")
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == [full, {"Grantee": everybody, "Permission": "READ"}]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="authenticated-read")
    acl = s3.get_object_acl(Bucket=bucket, Key="k")
    assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL", "READ"]
    s3.put_object_acl(Bucket=bucket, Key="k", AccessControlPolicy={"Owner": {"ID": owner}, "Grants": [full]})
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"] == [full]
    assert refused("InvalidArgument", s3.put_bucket_acl, Bucket=bucket, GrantRead="id=short")["ArgumentName"] == "id"
    refused("InvalidArgument", s3.put_bucket_acl, Bucket=bucket, GrantRead='uri="http://acs.amazonaws.com/groups/global/Nobody"')
    refused("InvalidRequest", s3.put_bucket_acl, Bucket=bucket, ACL="private", GrantRead=f"id={owner}")
    refused("UnresolvableGrantByEmailAddress", s3.put_bucket_acl, Bucket=bucket, GrantRead="emailAddress=a@example.com")
    assert refused("MissingSecurityHeader", s3.put_bucket_acl, Bucket=bucket)["MissingHeaderName"] == "x-amz-acl"
    refused("InvalidBucketAclWithObjectOwnership", s3.create_bucket, Bucket=unique("b"), ACL="public-read")


def test_policies(s3, bucket):
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket, status=404)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy_status, Bucket=bucket, status=404)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    refused("AccessDenied", s3.put_bucket_policy, Bucket=bucket, Policy=text, status=403)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True
    statement["Condition"] = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": statement}))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    s3.delete_bucket_policy(Bucket=bucket)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=bucket)
    for change, message in [
        ({"Resource": "arn:aws:s3:::another/*"}, "Policy has invalid resource"),
        ({"Action": "ec2:Run"}, "Policy has invalid action"),
        ({"Principal": "nobody"}, "Invalid principal in policy"),
        ({"Principal": None}, "Missing required field Principal"),
    ]:
        bad = {k: v for k, v in {**statement, **change}.items() if v is not None}
        error = refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy=json.dumps({"Statement": [bad]}), status=400)
        assert error["Message"] == message
    refused("MalformedPolicy", s3.put_bucket_policy, Bucket=bucket, Policy="[]")


def test_a_policy_denies_its_own_account(s3, bucket):
    """The seed's own case: objects must say how they are encrypted."""
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}]}))
    error = refused("AccessDenied", s3.put_object, Bucket=bucket, Key="k", Body=b"x", status=403)
    assert "explicit deny in a resource-based policy" in error["Message"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}))
    refused("AccessDenied", s3.list_objects_v2, Bucket=bucket)
    s3.delete_bucket_policy(Bucket=bucket)  # the root user always can
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_other_accounts(s3, bucket, endpoint):
    other = make_client(endpoint, "s3", aws_access_key_id="111111111111")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused("AccessDenied", other.get_object, Bucket=bucket, Key="k", status=403)
    refused("AccessDenied", other.list_objects_v2, Bucket=bucket, status=403)
    refused("BucketAlreadyExists", other.create_bucket, Bucket=bucket, status=409)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": ["s3:GetObject", "s3:List*"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"], "Condition": {"StringLike": {"s3:prefix": ["k*"]}}},
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]}))
    assert other.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    refused("AccessDenied", other.list_objects_v2, Bucket=bucket)
    assert other.list_objects_v2(Bucket=bucket, Prefix="k")["KeyCount"] == 1
    refused("AccessDenied", other.put_object, Bucket=bucket, Key="z", Body=b"")


def test_cors(s3, bucket):
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=bucket, status=404)
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["x-*"],
              "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60, "ID": "one"}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    for bad in ({"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}, {"AllowedMethods": ["GET"], "AllowedOrigins": ["*.a.*"]}):
        refused("InvalidRequest", s3.put_bucket_cors, Bucket=bucket, CORSConfiguration={"CORSRules": [bad]})
    s3.delete_bucket_cors(Bucket=bucket)
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=bucket)


def test_what_is_kept(s3, bucket):
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Enabled"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    for id in ("b", "a"):
        s3.put_bucket_metrics_configuration(Bucket=bucket, Id=id, MetricsConfiguration={"Id": id, "Filter": {"Prefix": "p/"}})
    assert [m["Id"] for m in s3.list_bucket_metrics_configurations(Bucket=bucket)["MetricsConfigurationList"]] == ["a", "b"]
    s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="a")
    refused("NoSuchConfiguration", s3.get_bucket_metrics_configuration, Bucket=bucket, Id="a", status=404)
    tiering = {"Id": "t", "Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}
    s3.put_bucket_intelligent_tiering_configuration(Bucket=bucket, Id="t", IntelligentTieringConfiguration=tiering)
    assert s3.get_bucket_intelligent_tiering_configuration(Bucket=bucket, Id="t")["IntelligentTieringConfiguration"] == tiering
    refused("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, Bucket=bucket, status=404)


def test_what_would_have_to_act_is_refused_by_name(s3, bucket):
    logging = {"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "l/"}}
    assert "PutBucketLogging" in refused("NotImplemented", s3.put_bucket_logging, Bucket=bucket, BucketLoggingStatus=logging)["Message"]
    replication = {"Role": "arn:aws:iam::000000000000:role/r", "Rules": [{"Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"}}]}
    refused("NotImplemented", s3.put_bucket_replication, Bucket=bucket, ReplicationConfiguration=replication)


def test_lifecycle(s3, bucket):
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=bucket, status=404)
    rules = [{"ID": "a", "Status": "Enabled", "Filter": {"And": {"Prefix": "p/", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 1}},
              "Expiration": {"Days": 3}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
             {"ID": "b", "Status": "Disabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 1},
              "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    got = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert got["Rules"] == rules and got["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    out = s3.put_object(Bucket=bucket, Key="p/x", Body=b"12", Tagging="k=v")
    assert out["Expiration"].startswith('expiry-date="') and out["Expiration"].endswith('rule-id="a"')
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="x", Body=b"12")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=bucket)
