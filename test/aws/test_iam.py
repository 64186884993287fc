"""IAM and STS through boto3."""
import json

import pytest
from botocore.exceptions import ClientError

from conftest import make_client, unique

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                                                 "Action": "sts:AssumeRole"}]}
GRANT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def refused(code, message, call, **kw):
    with pytest.raises(ClientError) as e:
        call(**kw)
    error = e.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


@pytest.fixture
def iam(client):
    return client("iam")


@pytest.fixture
def role(iam):
    name = unique("role")
    iam.create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST), Description="d",
                    Tags=[{"Key": "k", "Value": "v"}], MaxSessionDuration=7200)
    return name


def test_role(iam, role):
    got = iam.get_role(RoleName=role)["Role"]
    assert got["Arn"] == f"arn:aws:iam::000000000000:role/team/{role}" and got["RoleId"].startswith("AROA")
    assert got["AssumeRolePolicyDocument"] == TRUST
    assert (got["Description"], got["MaxSessionDuration"], got["Tags"]) == ("d", 7200, [{"Key": "k", "Value": "v"}])
    iam.update_role(RoleName=role, Description="e", MaxSessionDuration=3600)
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps({**TRUST, "Id": "x"}))
    got = iam.get_role(RoleName=role)["Role"]
    assert (got["Description"], got["MaxSessionDuration"], got["AssumeRolePolicyDocument"]["Id"]) == ("e", 3600, "x")
    refused("EntityAlreadyExists", f"Role with name {role} already exists.",
            iam.create_role, RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.delete_role(RoleName=role)
    refused("NoSuchEntity", f"The role with name {role} cannot be found.", iam.get_role, RoleName=role)


def test_roles_are_listed_in_pages_and_by_path(iam):
    path = f"/{unique('p')}/"
    for n in range(5):
        iam.create_role(RoleName=unique(f"r{n}"), Path=path, AssumeRolePolicyDocument=json.dumps(TRUST))
    pages = list(iam.get_paginator("list_roles").paginate(PathPrefix=path, PaginationConfig={"PageSize": 2}))
    assert [len(p["Roles"]) for p in pages] == [2, 2, 1]
    assert [r["RoleName"][:2] for p in pages for r in p["Roles"]] == ["r0", "r1", "r2", "r3", "r4"]


def test_inline_and_attached_policies_keep_a_role(iam, role):
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(GRANT))
    assert iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"] == GRANT
    assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["p"]
    iam.attach_role_policy(RoleName=role, PolicyArn=BASIC)
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == [
        {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]
    refused("DeleteConflict", "Cannot delete entity, must detach all policies first.", iam.delete_role, RoleName=role)
    iam.detach_role_policy(RoleName=role, PolicyArn=BASIC)
    refused("DeleteConflict", "Cannot delete entity, must delete policies first.", iam.delete_role, RoleName=role)
    refused("NoSuchEntity", "The role policy with name q cannot be found.", iam.delete_role_policy, RoleName=role, PolicyName="q")
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    iam.delete_role(RoleName=role)


def test_managed_policy(iam, role):
    name = unique("pol")
    made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(GRANT), Description="d")["Policy"]
    arn = made["Arn"]
    assert arn == f"arn:aws:iam::000000000000:policy/{name}" and made["DefaultVersionId"] == "v1"
    refused("EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed.",
            iam.create_policy, PolicyName=name, PolicyDocument=json.dumps(GRANT))
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    assert [r["RoleName"] for r in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]] == [role]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(GRANT), SetAsDefault=True)
    with pytest.raises(iam.exceptions.LimitExceededException):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(GRANT))
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]][:2] == [
        ("v5", True), ("v4", False)]
    refused("DeleteConflict", "Cannot delete the default version of a policy.", iam.delete_policy_version, PolicyArn=arn, VersionId="v5")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    for n in (2, 3, 4, 5):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{n}")
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"] == GRANT
    refused("DeleteConflict", "Cannot delete a policy attached to entities.", iam.delete_policy, PolicyArn=arn)
    iam.detach_role_policy(RoleName=role, PolicyArn=arn)
    iam.delete_policy(PolicyArn=arn)
    refused("NoSuchEntity", f"Policy {arn} was not found.", iam.get_policy, PolicyArn=arn)
    missing = "arn:aws:iam::aws:policy/Nothing"
    refused("NoSuchEntity", f"Policy {missing} does not exist or is not attachable.",
            iam.attach_role_policy, RoleName=role, PolicyArn=missing)


def test_malformed_policies_are_refused(iam, role):
    refused("MalformedPolicyDocument", "Syntax errors in policy.",
            iam.put_role_policy, RoleName=role, PolicyName="p", PolicyDocument="{")
    refused("MalformedPolicyDocument", "This policy contains invalid Json",
            iam.create_role, RoleName=unique(), AssumeRolePolicyDocument="nothing")


def test_user_group_and_access_keys(iam, client, endpoint):
    user, group = unique("user"), unique("group")
    arn = iam.create_user(UserName=user)["User"]["Arn"]
    iam.create_group(GroupName=group)
    iam.add_user_to_group(UserName=user, GroupName=group)
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=user)["Groups"]] == [group]
    assert [u["UserName"] for u in iam.get_group(GroupName=group)["Users"]] == [user]
    key = iam.create_access_key(UserName=user)["AccessKey"]
    as_user = make_client(endpoint, "sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    assert as_user.get_caller_identity()["Arn"] == arn
    assert client("sts").get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"] == "000000000000"
    iam.create_access_key(UserName=user)
    refused("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", iam.create_access_key, UserName=user)
    refused("DeleteConflict", "Cannot delete entity, must delete access keys first.", iam.delete_user, UserName=user)
    for k in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=k["AccessKeyId"])
    refused("DeleteConflict", "Cannot delete entity, must remove user from group first.", iam.delete_user, UserName=user)
    iam.remove_user_from_group(UserName=user, GroupName=group)
    iam.delete_user(UserName=user)
    iam.delete_group(GroupName=group)


def test_caller_identity(client):
    out = client("sts").get_caller_identity()
    assert (out["Account"], out["Arn"]) == ("000000000000", "arn:aws:iam::000000000000:root")
    out = client("sts", aws_access_key_id="111122223333").get_caller_identity()
    assert (out["Account"], out["Arn"]) == ("111122223333", "arn:aws:iam::111122223333:root")


def test_assumed_role_signs_as_its_session(client, endpoint, role):
    arn = f"arn:aws:iam::000000000000:role/team/{role}"
    out = client("sts").assume_role(RoleArn=arn, RoleSessionName="s1")
    c = out["Credentials"]
    session = make_client(endpoint, "sts", aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"],
                          aws_session_token=c["SessionToken"]).get_caller_identity()
    assert session["Arn"] == out["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::000000000000:assumed-role/{role}/s1"
    missing = "arn:aws:iam::000000000000:role/nobody-made-this"
    refused("AccessDenied", f"User: arn:aws:iam::000000000000:root is not authorized to perform: sts:AssumeRole on resource: {missing}",
            client("sts").assume_role, RoleArn=missing, RoleSessionName="s1")
    refused("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            client("sts").assume_role, RoleArn=arn, RoleSessionName="s1", DurationSeconds=10000)


def test_accounts_are_apart(client, role):
    other = client("iam", aws_access_key_id="111122223333")
    with pytest.raises(other.exceptions.NoSuchEntityException):
        other.get_role(RoleName=role)


def test_an_operation_that_is_not_there_says_so(client):
    with pytest.raises(ClientError) as e:
        client("iam").create_saml_provider(SAMLMetadataDocument="x" * 1000, Name="n")
    assert e.value.response["Error"]["Code"] == "NotImplemented"
    assert "iam.CreateSAMLProvider" in e.value.response["Error"]["Message"]
