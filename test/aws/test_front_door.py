"""The front door as AWS's own clients meet it: protocols, signatures, refusals."""
import datetime
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.exceptions
import pytest
from botocore.config import Config

from cirro import Cirro
from conftest import make_client

KEY, SECRET = "AKIAROOTOFCIRRO00001", "a secret with / and +"
LOOSE = Config(parameter_validation=False)


def refused(call, **kw):
    """The code, the message and the status with which a call is refused."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**kw)
    response = refusal.value.response
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A platform that verifies signatures."""
    env = {"CIRRO_ROOT_ACCESS_KEY_ID": KEY, "CIRRO_ROOT_SECRET_ACCESS_KEY": SECRET}
    with Cirro(tmp_path_factory.mktemp("guarded"), "--auth", env=env) as platform:
        yield platform.url


def signed(url, service, **kw):
    return make_client(url, service, **{"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, **kw})


def test_services_that_are_not_there(client):
    for service, call in (("cloudwatch", "list_metrics"), ("ec2", "describe_vpcs"),
                          ("glacier", "list_vaults"), ("route53", "list_hosted_zones")):
        code, message, status = refused(getattr(client(service), call))
        assert (code, status) == ("NotImplemented", 501)
        assert "Cirro does not implement the service" in message


def test_operations_that_are_not_there(client):
    code, message, status = refused(client("lambda").list_code_signing_configs)
    assert (code, message, status) == ("NotImplemented", "Cirro does not implement lambda.ListCodeSigningConfigs", 501)


def test_constraints_in_each_protocol(client):
    assert refused(client("lambda", config=LOOSE).get_function, FunctionName="a b")[::2] == ("ValidationException", 400)
    assert refused(client("logs", config=LOOSE).create_log_group, logGroupName="a b")[:2] == (
        "InvalidParameterException", "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy "
        r"constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+")
    assert refused(client("iam", config=LOOSE).create_user)[:2] == (
        "ValidationError", "1 validation error detected: Value null at 'userName' failed to satisfy constraint: Member must not be null")


def test_account_and_region_come_from_the_credential(client):
    sts = client("sts", aws_access_key_id="123456789012", region_name="eu-central-1")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    arn = client("logs", aws_access_key_id="123456789012", region_name="eu-central-1")
    arn.create_log_group(logGroupName="front-door")
    group = arn.describe_log_groups(logGroupNamePrefix="front-door")["logGroups"][0]
    assert group["arn"].startswith("arn:aws:logs:eu-central-1:123456789012:log-group:front-door")
    assert client("logs").describe_log_groups(logGroupNamePrefix="front-door")["logGroups"] == []


def test_unsigned_requests_are_taken_on_loopback(endpoint):
    url = urllib.parse.urlsplit(endpoint)
    connection = http.client.HTTPConnection(url.hostname, url.port)
    for path in ("/2015-03-31/functions/", "/?Action=GetCallerIdentity&Version=2011-06-15"):
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200 and response.read()


def test_pages_of_other_origins_are_refused(endpoint):
    for origin, status in (("https://evil.example", 403), ("http://localhost:8080", 200)):
        request = urllib.request.Request(endpoint + "/2015-03-31/functions/", headers={"Origin": origin})
        try:
            response = urllib.request.urlopen(request)
        except urllib.error.HTTPError as refusal:
            response = refusal
        assert response.status == status


def test_signatures_are_verified(guarded):
    assert signed(guarded, "sts").get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    signed(guarded, "logs").create_log_group(logGroupName="g")
    assert signed(guarded, "lambda").list_functions()["Functions"] == []
    assert signed(guarded, "apigateway").get_rest_apis()["items"] == []
    wrong = {"aws_secret_access_key": "another secret"}
    unknown = {"aws_access_key_id": "AKIANOBODY0000000000"}
    mismatch = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method. Consult the service documentation for details.")
    invalid = "The security token included in the request is invalid."
    assert refused(signed(guarded, "lambda", **wrong).list_functions) == ("InvalidSignatureException", mismatch, 403)
    assert refused(signed(guarded, "sts", **wrong).get_caller_identity) == ("SignatureDoesNotMatch", mismatch, 403)
    assert refused(signed(guarded, "logs", **unknown).describe_log_groups)[:2] == ("UnrecognizedClientException", invalid)
    assert refused(signed(guarded, "iam", **unknown).list_users)[:2] == ("InvalidClientTokenId", invalid)


def test_unsigned_requests_are_refused(guarded):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(guarded + "/2015-03-31/functions/")
    assert refusal.value.status == 403
    assert refusal.value.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_presigned_urls(guarded):
    url = signed(guarded, "sts").generate_presigned_url("get_caller_identity", HttpMethod="GET", ExpiresIn=60)
    assert b"arn:aws:iam::000000000000:root" in urllib.request.urlopen(url).read()
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(url.replace("us-east-1", "us-west-2"))
    assert refusal.value.status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in refusal.value.read()


def test_clock_skew(guarded):
    session = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET)
    for minutes, word in ((-16, "Signature expired: "), (16, "Signature not yet current: ")):
        request = botocore.awsrequest.AWSRequest("GET", guarded + "/2015-03-31/functions/")
        auth = botocore.auth.SigV4Auth(session.get_credentials(), "lambda", "us-east-1")
        when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
        request.context["timestamp"] = when.strftime("%Y%m%dT%H%M%SZ")
        auth._modify_request_before_signing(request)
        canonical = auth.canonical_request(request)
        auth._inject_signature_to_request(request, auth.signature(auth.string_to_sign(request, canonical), request))
        plain = urllib.request.Request(request.url, headers=dict(request.headers.items()))
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(plain)
        assert refusal.value.status == 403 and word.encode() in refusal.value.read()


def test_session_tokens(guarded):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    signed(guarded, "iam").create_role(RoleName="visitor", AssumeRolePolicyDocument=json.dumps(trust))
    session = signed(guarded, "sts").assume_role(RoleArn="arn:aws:iam::000000000000:role/visitor", RoleSessionName="me")["Credentials"]
    keys = {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"]}
    me = signed(guarded, "sts", aws_session_token=session["SessionToken"], **keys).get_caller_identity()
    assert me["Arn"] == "arn:aws:sts::000000000000:assumed-role/visitor/me"
    assert refused(signed(guarded, "sts", aws_session_token=session["SessionToken"][:-8] + "AAAAAAAA", **keys).get_caller_identity)[::2] in (
        ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403))
