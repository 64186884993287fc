"""Lambda's functions, versions and aliases, as a user of boto3 meets them."""
import base64
import hashlib
import io
import json
import signal
import stat
import zipfile

import pytest
import requests
from botocore.exceptions import ClientError

from cirro import Cirro
from conftest import ROLE, eventually, make_client, package, unique

SOURCE = "def handler(event, context): return 1"


@pytest.fixture
def awslambda(client):
    return client("lambda")


def refused(call, **kw):
    """Call, which must fail, and return the error's code, message and HTTP status."""
    with pytest.raises(ClientError) as e:
        call(**kw)
    r = e.value.response
    return r["Error"]["Code"], r["Error"]["Message"], r["ResponseMetadata"]["HTTPStatusCode"]


def create(awslambda, name, **kw):
    return awslambda.create_function(**{"FunctionName": name, "Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE,
                                        "Code": {"ZipFile": package(SOURCE)}, **kw})


def arn(name):
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def test_lifecycle(awslambda):
    name, code = unique(), package(SOURCE)
    created = create(awslambda, name, Code={"ZipFile": code}, Environment={"Variables": {"STAGE": "ü"}}, Tags={"team": "a"})
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert created["State"] == "Pending" and created["StateReasonCode"] == "Creating"
    assert created["FunctionArn"] == arn(name)
    assert created["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
    assert created["CodeSize"] == len(code)
    awslambda.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 2400})
    got = awslambda.get_function(FunctionName=name)
    assert got["Configuration"]["State"] == "Active"
    assert got["Configuration"]["LastUpdateStatus"] == "Successful"
    assert got["Configuration"]["Environment"] == {"Variables": {"STAGE": "ü"}}
    assert got["Tags"] == {"team": "a"}
    assert requests.get(got["Code"]["Location"]).content == code
    assert requests.get(got["Code"]["Location"] + "x").status_code == 403

    awslambda.update_function_configuration(FunctionName=name, MemorySize=512, Timeout=900, EphemeralStorage={"Size": 1024})
    awslambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 2400})
    newer = package("def handler(event, context): return 2")
    awslambda.update_function_code(FunctionName=name, ZipFile=newer)
    awslambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 2400})
    config = awslambda.get_function_configuration(FunctionName=name)
    assert (config["MemorySize"], config["Timeout"], config["EphemeralStorage"]["Size"]) == (512, 900, 1024)
    assert requests.get(awslambda.get_function(FunctionName=name)["Code"]["Location"]).content == newer

    assert awslambda.delete_function(FunctionName=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(awslambda.get_function, FunctionName=name) == (
        "ResourceNotFoundException", f"Function not found: {arn(name)}", 404)


@pytest.mark.parametrize("change, code, message", [
    ({"Runtime": "python3.99"}, "InvalidParameterValueException", "Value python3.99 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["),
    ({"Runtime": "python2.7"}, "InvalidParameterValueException", "The runtime parameter of python2.7 is no longer supported"),
    ({"Role": "r1"}, "ValidationException", "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern"),
    ({"Timeout": 901}, "ValidationException", "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"),
    ({"MemorySize": 10241}, "ValidationException", "1 validation error detected: Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240"),
    ({"EphemeralStorage": {"Size": 20480}}, "ValidationException", "1 validation error detected: Value '20480' at 'ephemeralStorage.size' failed to satisfy constraint"),
    ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValueException", "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {\"BIG\":\"xxx"),
    ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION"),
    ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again."),
    ({"Code": {"S3Bucket": "no-such-bucket", "S3Key": "k"}}, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist"),
    ({"PackageType": "Image", "Code": {"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:l"}}, "NotImplemented", "Cirro does not run functions from container images"),
    ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "NotImplemented", "Cirro has no VPCs"),
    ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:none:1"]}, "InvalidParameterValueException", "Layer version arn:aws:lambda:us-east-1:000000000000:layer:none:1 does not exist."),
])
def test_create_refuses(awslambda, change, code, message):
    name = unique()
    got = refused(create, awslambda=awslambda, name=name, **change)
    assert (got[0], got[1][:len(message)]) == (code, message)
    assert refused(awslambda.get_function, FunctionName=name)[2] == 404


def test_name_is_taken(awslambda, function):
    name = function(SOURCE)
    assert refused(create, awslambda=awslambda, name=name) == ("ResourceConflictException", f"Function already exist: {name}", 409)


def hostile(name, content=b"x", link=False):
    buf = io.BytesIO()
    with zipfile.ZipFile(buf, "w") as z:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = ((stat.S_IFLNK if link else stat.S_IFREG) | 0o777) << 16
        z.writestr(info, content)
    return buf.getvalue()


@pytest.mark.parametrize("body", [
    hostile("../../../../tmp/evil"), hostile("/tmp/evil"), hostile("a/../../evil"),
    hostile("link", b"/etc/passwd", link=True), hostile("d/link", b"../../x", link=True), hostile("n" * 300),
    package(SOURCE)[:-30],
], ids=["climbs", "absolute", "climbs later", "absolute link", "link out", "long name", "cut short"])
def test_hostile_packages(awslambda, body):
    message = ("InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again.", 400)
    assert refused(create, awslambda=awslambda, name=unique(), Code={"ZipFile": body}) == message


def test_zip_bomb(awslambda):
    buf = io.BytesIO()
    with zipfile.ZipFile(buf, "w", zipfile.ZIP_DEFLATED) as z, z.open("zeros", "w", force_zip64=True) as f:
        for _ in range(251):
            f.write(bytes(1 << 20))
    assert len(buf.getvalue()) < 1 << 20
    assert refused(create, awslambda=awslambda, name=unique(), Code={"ZipFile": buf.getvalue()}) == (
        "InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes", 400)


def test_package_over_50_megabytes(awslambda):
    got = refused(create, awslambda=awslambda, name=unique(), Code={"ZipFile": bytes(52428801)})
    assert got == ("RequestEntityTooLargeException", "Zipped size must be smaller than 52428800 bytes", 413)


def test_revisions(awslambda, function):
    name = function(SOURCE)
    got = refused(awslambda.update_function_configuration, FunctionName=name, Description="x", RevisionId="wrong")
    assert got == ("PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id. "
                   "Call the GetFunction/GetAlias API to retrieve the latest Revision Id", 412)
    revision = awslambda.get_function_configuration(FunctionName=name)["RevisionId"]
    assert awslambda.update_function_configuration(FunctionName=name, Description="x", RevisionId=revision)["RevisionId"] != revision


def test_versions_and_aliases(awslambda, function):
    name = function(SOURCE)
    one = awslambda.publish_version(FunctionName=name, Description="one")
    assert (one["Version"], one["FunctionArn"], one["State"]) == ("1", arn(name) + ":1", "Active")
    assert awslambda.publish_version(FunctionName=name)["Version"] == "1"
    awslambda.update_function_code(FunctionName=name, ZipFile=package("def handler(event, context): return 2"))
    awslambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 2400})
    assert awslambda.publish_version(FunctionName=name)["Version"] == "2"
    assert awslambda.get_function_configuration(FunctionName=name, Qualifier="1")["CodeSha256"] == one["CodeSha256"]

    alias = awslambda.create_alias(FunctionName=name, Name="live", FunctionVersion="1",
                                   RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    assert alias["AliasArn"] == arn(name) + ":live"
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.5}}
    assert refused(awslambda.delete_function, FunctionName=name, Qualifier="2") == (
        "ResourceConflictException", "Unable to delete version because the following aliases reference it: [live]", 409)
    assert refused(awslambda.create_alias, FunctionName=name, Name="live", FunctionVersion="1") == (
        "ResourceConflictException", f"Alias already exists: {arn(name)}:live", 409)
    updated = awslambda.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}})
    assert updated["FunctionVersion"] == "2" and "RoutingConfig" not in updated
    assert awslambda.get_function_configuration(FunctionName=f"{name}:live")["Version"] == "2"
    awslambda.delete_function(FunctionName=name, Qualifier="1")
    pages = awslambda.get_paginator("list_versions_by_function").paginate(FunctionName=name, PaginationConfig={"PageSize": 1})
    assert [v["Version"] for p in pages for v in p["Versions"]] == ["$LATEST", "2"]
    assert [a["Name"] for a in awslambda.list_aliases(FunctionName=name)["Aliases"]] == ["live"]
    awslambda.delete_alias(FunctionName=name, Name="live")
    assert refused(awslambda.get_alias, FunctionName=name, Name="live") == (
        "ResourceNotFoundException", f"Cannot find alias arn: {arn(name)}:live", 404)


def test_list_functions_pages(client):
    other = client("lambda", region_name="eu-west-3")  # nobody else's functions there
    names = sorted(unique("page") for _ in range(5))
    for name in names:
        create(other, name)
    pages = list(other.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(p["Functions"]) for p in pages] == [2, 2, 1]
    assert [f["FunctionName"] for p in pages for f in p["Functions"]] == names
    for name in names:
        other.delete_function(FunctionName=name)
    assert other.list_functions()["Functions"] == []


def test_survives_sigkill(tmp_path):
    with Cirro(tmp_path) as platform:
        awslambda = make_client(platform.url, "lambda")
        code = package(SOURCE)
        created = create(awslambda, "f", Code={"ZipFile": code}, Publish=True)
        layer = awslambda.publish_layer_version(LayerName="l", Content={"ZipFile": code})
        platform.restart(signal.SIGKILL)
        assert created["Version"] == "1"
        for qualifier in ("1", "$LATEST"):
            eventually(lambda: awslambda.get_function_configuration(FunctionName="f", Qualifier=qualifier)["State"] == "Active")
        assert requests.get(awslambda.get_function(FunctionName="f")["Code"]["Location"]).content == code
        location = awslambda.get_layer_version_by_arn(Arn=layer["LayerVersionArn"])["Content"]["Location"]
        assert requests.get(location).content == code


def test_packages_in_a_bucket(awslambda, client):
    s3, bucket, name = client("s3"), unique("packages"), unique()
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="f.zip", Body=package(
        f"import shared\ndef handler(event, context): return [{n}, shared.NAME]"))["VersionId"] for n in (1, 2)]
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=package("NAME = 'layer'", file="python/shared.py"))
    layer = awslambda.publish_layer_version(LayerName=unique("layer"), Content={"S3Bucket": bucket, "S3Key": "layer.zip"})["LayerVersionArn"]

    def answer():
        awslambda.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        awslambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 1200})
        return json.load(awslambda.invoke(FunctionName=name)["Payload"])
    create(awslambda, name, Code={"S3Bucket": bucket, "S3Key": "f.zip", "S3ObjectVersion": versions[0]}, Layers=[layer], Timeout=60)
    assert answer() == [1, "layer"]
    awslambda.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="f.zip")
    assert answer() == [2, "layer"]
    got = refused(awslambda.update_function_code, FunctionName=name, S3Bucket=bucket, S3Key="none.zip")
    assert got[:2] == ("InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
                       "S3 Error Message: The specified key does not exist.")
