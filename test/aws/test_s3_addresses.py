"""How buckets are reached besides by signed requests to a path: hosts, presigned URLs, forms, websites, pages."""
import datetime
import json
import urllib.parse
import xml.etree.ElementTree as ET

import boto3
import pytest
import requests
from botocore.config import Config
from cirro import Cirro
from conftest import unique

ROOT = {"CIRRO_ROOT_ACCESS_KEY_ID": "AKIAROOT", "CIRRO_ROOT_SECRET_ACCESS_KEY": "root-secret"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A platform that verifies signatures."""
    with Cirro(tmp_path_factory.mktemp("locked"), "--auth", env=ROOT) as platform:
        yield platform


def root(url, version="s3v4", style="path", secret="root-secret"):
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="AKIAROOT", aws_secret_access_key=secret,
                        config=Config(signature_version=version, s3={"addressing_style": style}, retries={"max_attempts": 1}))


@pytest.fixture(params=["open", "verified"])
def platform(request, endpoint):
    """The address of a platform without, and of one with verified signatures."""
    return endpoint if request.param == "open" else request.getfixturevalue("locked").url


@pytest.fixture
def bucket(platform):
    name = unique("bucket")
    root(platform).create_bucket(Bucket=name)
    return name


def code(reply):
    return ET.fromstring(reply.text).findtext("Code")


HOSTS = ["{}.s3.us-east-1.localhost", "{}.s3.localhost.localstack.cloud", "{}.s3.amazonaws.com", "{}.s3.us-west-2.amazonaws.com",
         "{}.s3-us-west-2.amazonaws.com", "{}.s3.dualstack.eu-west-1.amazonaws.com", "{}.localhost"]


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(endpoint, host):
    bucket = unique("bucket")
    root(endpoint).create_bucket(Bucket=bucket)
    headers = {"Host": host.format(bucket) + ":4566", "Authorization": "AWS test:x"}
    assert requests.put(endpoint + "/a/b c", data=b"1", headers=headers).status_code == 200
    assert requests.get(endpoint + "/a/b%20c", headers=headers).content == b"1"
    listed = requests.get(endpoint + "/?list-type=2", headers=headers)
    assert "<Key>a/b c</Key>" in listed.text and listed.text.count("ListBucketResult") == 2
    assert requests.head(endpoint + "/", headers=headers).headers["x-amz-bucket-region"] == "us-east-1"


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls(platform, bucket, version, style):
    """A client of the virtual style signs the host of the bucket: the URL goes to the same server under that name."""
    url = platform.replace("127.0.0.1", "s3.us-east-1.localhost") if style == "virtual" else platform
    s3 = root(url, version, style)

    def send(method, signed, **kw):
        parts = urllib.parse.urlsplit(signed)
        headers = {"Host": parts.netloc, **kw.pop("headers", {})}
        return requests.request(method, platform + signed[len(f"{parts.scheme}://{parts.netloc}"):], headers=headers, **kw)
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b/ü", "ContentType": "text/plain", "Metadata": {"m": "1"}})
    out = send("PUT", put, data=b"hello", headers={"Content-Type": "text/plain", "x-amz-meta-m": "1"})
    assert out.status_code == 200, out.text
    get = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/ü", "ResponseContentType": "text/x"})
    out = send("GET", get)
    assert (out.content, out.headers["Content-Type"], out.headers["x-amz-meta-m"]) == (b"hello", "text/x", "1")
    over = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b/ü"}, ExpiresIn=0)
    out = send("GET", over)
    assert out.status_code == 403 and code(out) == "AccessDenied"
    error = ET.fromstring(out.text)
    assert error.findtext("Message") == "Request has expired" and error.findtext("Expires") and error.findtext("ServerTime")


def test_a_presigned_url_lives_a_week_at_most(platform, bucket):
    url = root(platform).generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=604801)
    out = requests.get(url)
    assert out.status_code == 400 and code(out) == "AuthorizationQueryParametersError"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_changed_url_is_refused(locked, version):
    s3 = root(locked.url, version)
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="b", Body=b"")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "b"})
    assert requests.get(url).status_code == 200
    out = requests.get(url.replace("/b?", "/c?"))
    assert out.status_code == 403 and code(out) == "SignatureDoesNotMatch"
    other = root(locked.url, version, secret="guess").generate_presigned_url("get_object", {"Bucket": bucket, "Key": "b"})
    assert code(requests.get(other)) == "SignatureDoesNotMatch"


def test_without_a_signature(locked):
    """Nobody gets what a bucket does not open to everybody."""
    s3, bucket = root(locked.url), unique("bucket")
    s3.create_bucket(Bucket=bucket, ObjectOwnership="ObjectWriter")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = f"{locked.url}/{bucket}"

    def statuses():
        return [requests.get(url + "/k").status_code, requests.get(url).status_code, requests.put(url + "/n", data=b"").status_code]
    assert statuses() == [403, 403, 403]
    for method, path in (("GET", "/"), ("PUT", "/" + unique("b")), ("GET", f"/{bucket}?policy"), ("DELETE", f"/{bucket}"), ("PUT", f"/{bucket}?acl")):
        assert requests.request(method, locked.url + path).status_code == 403, path
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert statuses() == [200, 403, 403]
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert statuses() == [200, 200, 200]
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    assert statuses() == [403, 403, 403]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]}))
    assert statuses() == [200, 403, 403]
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True, "IgnorePublicAcls": True})
    assert statuses() == [403, 403, 403]


def post(post, data=b"hello", name="f.txt", **fields):
    return requests.post(post["url"], data={**post["fields"], **fields}, files={"file": (name, data)}, allow_redirects=False)


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_forms(platform, bucket, version):
    s3 = root(platform, version)
    out = post(s3.generate_presigned_post(bucket, "up/${filename}"))
    assert out.status_code == 204, out.text
    assert s3.get_object(Bucket=bucket, Key="up/f.txt")["Body"].read() == b"hello"
    out = post(s3.generate_presigned_post(bucket, "k", {"success_action_status": "201", "x-amz-meta-a": "b", "Content-Type": "text/plain",
                                                        "tagging": "<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>"},
                                          [{"success_action_status": "201"}, {"x-amz-meta-a": "b"}, ["starts-with", "$Content-Type", "text/"], ["starts-with", "$tagging", ""]]))
    assert out.status_code == 201, out.text
    answer = ET.fromstring(out.text)
    assert answer.tag == "PostResponse" and answer.findtext("Key") == "k" and answer.findtext("ETag") == out.headers["ETag"]
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["Metadata"] == {"a": "b"} and head["ContentType"] == "text/plain"
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "t", "Value": "1"}]
    to = "http://localhost:1/done?x=1"
    out = post(s3.generate_presigned_post(bucket, "k", {"success_action_redirect": to}, [{"success_action_redirect": to}]))
    assert out.status_code == 303
    assert out.headers["Location"].startswith(to + f"&bucket={bucket}&key=k&etag=%22")


def test_forms_keep_to_their_policy(platform, bucket):
    s3 = root(platform)

    def refused(form, status, want, **kw):
        out = post(form, **kw)
        assert (out.status_code, code(out)) == (status, want), out.text
        return ET.fromstring(out.text)
    error = refused(s3.generate_presigned_post(bucket, "k"), 403, "AccessDenied", key="other")
    assert error.findtext("Message") == 'Invalid according to Policy: Policy Condition failed: ["eq", "$key", "k"]'
    error = refused(s3.generate_presigned_post(bucket, "k"), 403, "AccessDenied", extra="1")
    assert error.findtext("Message") == "Invalid according to Policy: Extra input fields: extra"
    error = refused(s3.generate_presigned_post(bucket, "k", ExpiresIn=-1), 403, "AccessDenied")
    assert error.findtext("Message") == "Invalid according to Policy: Policy expired."
    sized = s3.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", 3, 5]])
    refused(sized, 400, "EntityTooLarge", data=b"123456")
    refused(sized, 400, "EntityTooLarge", data=b"1" * 200_000)
    refused(sized, 400, "EntityTooSmall", data=b"12")
    assert post(sized, data=b"12345").status_code == 204
    form = s3.generate_presigned_post(bucket, "k")
    form["fields"].pop("key")
    assert refused(form, 400, "InvalidArgument").findtext("ArgumentName") == "key"
    form = s3.generate_presigned_post(bucket, "k")
    form["fields"]["policy"] = "e30="
    assert code(post(form)) in ("InvalidPolicyDocument", "SignatureDoesNotMatch")
    out = requests.post(form["url"], files={"key": (None, "k")})
    assert (out.status_code, code(out)) == (400, "InvalidArgument")


def test_a_form_of_another(locked):
    s3, bucket = root(locked.url), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    out = post(root(locked.url, secret="guess").generate_presigned_post(bucket, "k"))
    assert (out.status_code, code(out)) == (403, "SignatureDoesNotMatch")
    out = requests.post(f"{locked.url}/{bucket}", data={"key": "k"}, files={"file": b"x"})
    assert (out.status_code, code(out)) == (403, "AccessDenied")


def test_a_form_that_is_no_signed_one_writes_where_anybody_may(endpoint):
    bucket = unique("bucket")
    root(endpoint).create_bucket(Bucket=bucket)
    assert requests.post(f"{endpoint}/{bucket}", data={"key": "k"}, files={"file": b"x"}).status_code == 204
    evil = requests.post(f"{endpoint}/{bucket}", data={"key": "e"}, files={"file": b"x"}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    assert [o["Key"] for o in root(endpoint).list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def site(platform, bucket, path, method="GET", **headers):
    host = f"{bucket}.s3-website.us-east-1.localhost:4566"
    return requests.request(method, platform + path, headers={"Host": host, **headers}, allow_redirects=False)


def test_websites(platform, bucket):
    s3 = root(platform)
    out = site(platform, bucket, "/")
    assert out.status_code == 404 and "<li>Code: NoSuchWebsiteConfiguration</li>" in out.text
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"},
        "RoutingRules": [{"Condition": {"KeyPrefixEquals": "old/"}, "Redirect": {"ReplaceKeyPrefixWith": "new/", "HttpRedirectCode": "302"}},
                         {"Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "gone/"}, "Redirect": {"HostName": "example.com", "Protocol": "https", "ReplaceKeyWith": "x"}}]})
    assert len(s3.get_bucket_website(Bucket=bucket)["RoutingRules"]) == 2
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
                                                                          "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}))
    for key, body in (("index.html", b"home"), ("docs/index.html", b"docs"), ("error.html", b"lost"), ("new/a", b"moved")):
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html", CacheControl="max-age=1")
    s3.put_object(Bucket=bucket, Key="there", WebsiteRedirectLocation="/docs/")
    out = site(platform, bucket, "/")
    assert (out.content, out.headers["Content-Type"], out.headers["Cache-Control"]) == (b"home", "text/html", "max-age=1")
    assert site(platform, bucket, "/docs/").content == b"docs"
    out = site(platform, bucket, "/docs")
    assert (out.status_code, out.headers["Location"]) == (302, "/docs/")
    out = site(platform, bucket, "/none")
    assert (out.status_code, out.content) == (404, b"lost")
    out = site(platform, bucket, "/old/a")
    assert out.status_code == 302 and out.headers["Location"].endswith("/new/a")
    out = site(platform, bucket, "/gone/a")
    assert (out.status_code, out.headers["Location"]) == (301, "https://example.com/x")
    assert site(platform, bucket, "/there").headers["Location"] == "/docs/"
    assert site(platform, bucket, "/", Range="bytes=1-2").content == b"om"
    etag = site(platform, bucket, "/").headers["ETag"]
    assert site(platform, bucket, "/", **{"If-None-Match": etag}).status_code == 304
    head = site(platform, bucket, "/", "HEAD")
    assert head.headers["Content-Length"] == "4" and head.content == b""
    assert site(platform, bucket, "/", "POST").status_code == 405
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}})
    assert site(platform, bucket, "/a/b").headers["Location"] == "https://example.com/a/b"
    s3.delete_bucket_website(Bucket=bucket)
    assert site(platform, bucket, "/").status_code == 404


def test_a_private_website(locked):
    s3, bucket = root(locked.url), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"secret")
    out = site(locked.url, bucket, "/")
    assert out.status_code == 403 and "secret" not in out.text


def preflight(url, origin, method="PUT", headers=None):
    h = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        h["Access-Control-Request-Headers"] = headers
    return requests.options(url, headers=h)


def test_pages_of_other_origins(platform, bucket):
    s3 = root(platform)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    url = f"{platform}/{bucket}/k"
    page = "https://app.example.com"
    assert preflight(url, page).status_code == 403
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [
        {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["content-*"],
         "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]})
    out = preflight(url, page, headers="Content-Type")
    assert out.status_code == 200 and out.headers["Access-Control-Allow-Origin"] == page
    assert out.headers["Access-Control-Allow-Methods"] == "GET, PUT" and out.headers["Access-Control-Allow-Headers"] == "content-type"
    assert out.headers["Access-Control-Max-Age"] == "60"
    for bad in (preflight(url, page, "DELETE"), preflight(url, page, headers="x-other"), preflight(url, "https://evil.com")):
        assert bad.status_code == 403 and code(bad) == "AccessForbidden"
    signed = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    out = requests.get(signed, headers={"Origin": page})
    assert out.content == b"x" and out.headers["Access-Control-Allow-Origin"] == page and out.headers["Access-Control-Expose-Headers"] == "ETag"
    assert "Access-Control-Allow-Origin" not in requests.get(signed, headers={"Origin": "https://evil.com"}).headers
