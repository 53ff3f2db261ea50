"""Drives the simulated AWS with unmodified boto3. Prints one JSON object with what it saw; fails on the first surprise."""

import base64
import hashlib
import io
import json
import sys
import zipfile

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
KEY, SECRET = sys.argv[2], sys.argv[3]
REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/driver"


def client(service, region=REGION, secret=SECRET):
    return boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=KEY,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=5, read_timeout=30),
    )


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{code} expected")


def package(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", text)
    return buffer.getvalue()


def sts_and_iam():
    identity = client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012", identity
    refused("SignatureDoesNotMatch", client("sts", secret="wrong").get_caller_identity)
    iam = client("iam", region="us-east-1")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    assert iam.create_role(RoleName="driver", AssumeRolePolicyDocument=trust)["Role"]["Arn"] == ROLE
    refused("EntityAlreadyExists", iam.create_role, RoleName="driver", AssumeRolePolicyDocument=trust)
    assert iam.get_role(RoleName="driver")["Role"]["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    refused("NoSuchEntity", iam.get_role, RoleName="nobody")
    return identity["Arn"]


def ecr():
    data = client("ecr").get_authorization_token()["authorizationData"][0]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":", 1)
    assert user == "AWS" and password and data["expiresAt"].year >= 2024
    assert client("ecr").describe_repositories()["repositories"] == []
    refused("RepositoryNotFoundException", client("ecr").describe_repositories, repositoryNames=["absent"])
    return data["proxyEndpoint"]


def s3():
    s3 = client("s3")
    refused("IllegalLocationConstraintException", s3.create_bucket, Bucket="staging")
    s3.create_bucket(Bucket="staging", CreateBucketConfiguration={"LocationConstraint": REGION})
    refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="staging", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert s3.head_bucket(Bucket="staging")["BucketRegion"] == REGION
    refused("NoSuchBucket", s3.put_object, Bucket="absent", Key="k", Body=b"x")
    body = bytes(range(256)) * 1000
    put = s3.put_object(Bucket="staging", Key="a b/\u00fc+%", Body=body, IfNoneMatch="*", Metadata={"kind": "test"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"' and put["ChecksumCRC32"]
    refused("PreconditionFailed", s3.put_object, Bucket="staging", Key="a b/\u00fc+%", Body=b"other", IfNoneMatch="*")
    refused("BadDigest", s3.put_object, Bucket="staging", Key="bad", Body=b"x", ChecksumSHA256=base64.b64encode(bytes(32)).decode())
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert s3.put_object(Bucket="staging", Key="sum", Body=io.BytesIO(body), ChecksumSHA256=sha256)["ChecksumSHA256"] == sha256
    got = s3.get_object(Bucket="staging", Key="a b/\u00fc+%")
    assert got["Body"].read() == body and got["Metadata"] == {"kind": "test"} and got["ChecksumCRC32"]
    assert s3.get_object(Bucket="staging", Key="sum", Range="bytes=256-511")["Body"].read() == bytes(range(256))
    assert s3.head_object(Bucket="staging", Key="sum", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256
    refused("NoSuchKey", s3.get_object, Bucket="staging", Key="absent")
    refused("404", s3.head_object, Bucket="staging", Key="absent")
    big = bytes(i % 251 for i in range(1000)) * 12_000
    s3.upload_fileobj(io.BytesIO(big), "staging", "big", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
    assert s3.head_object(Bucket="staging", Key="big")["ETag"].endswith('-3"')
    assert hashlib.sha256(s3.get_object(Bucket="staging", Key="big")["Body"].read()).digest() == hashlib.sha256(big).digest()
    for number in range(7):
        s3.put_object(Bucket="staging", Key=f"dir/{number}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="staging", PaginationConfig={"PageSize": 2})
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    assert keys == sorted(keys) and len(keys) == 10 and "a b/\u00fc+%" in keys, keys
    tree = s3.list_objects_v2(Bucket="staging", Delimiter="/")
    assert [row["Prefix"] for row in tree["CommonPrefixes"]] == ["a b/", "dir/"], tree
    upload = s3.create_multipart_upload(Bucket="staging", Key="gone")["UploadId"]
    s3.abort_multipart_upload(Bucket="staging", Key="gone", UploadId=upload)
    refused("NoSuchUpload", s3.abort_multipart_upload, Bucket="staging", Key="gone", UploadId=upload)
    s3.delete_object(Bucket="staging", Key="dir/0")
    s3.delete_object(Bucket="staging", Key="dir/0")
    # boto3 follows the 301 to the bucket's region by itself.
    assert client("s3", region="us-east-1").list_objects_v2(Bucket="staging")["KeyCount"] == 9
    return len(keys)


def functions():
    api = client("lambda")
    first, second = package("one"), package("two")
    base = dict(FunctionName="f", Role=ROLE, Runtime="python3.13", Handler="index.main")
    refused("ResourceNotFoundException", api.get_function, FunctionName="f")
    refused("InvalidParameterValueException", api.create_function, **{**base, "Role": ROLE + "x"}, Code={"ZipFile": first})
    refused("InvalidParameterValueException", api.create_function, **base, Code={"ZipFile": b"no zip"})
    refused("InvalidParameterValueException", api.create_function, **base, Code={"S3Bucket": "staging", "S3Key": "absent"})
    refused("ValidationException", api.create_function, **base, Code={"ZipFile": first}, Timeout=901)
    made = api.create_function(**base, Code={"ZipFile": first}, Environment={"Variables": {"A1": "b"}}, Tags={"fractal:owner": "me"})
    assert made["State"] == "Pending" and made["CodeSha256"] == base64.b64encode(hashlib.sha256(first).digest()).decode()
    refused("ResourceConflictException", api.create_function, **base, Code={"ZipFile": first})
    refused("ResourceConflictException", api.update_function_code, FunctionName="f", ZipFile=second)
    api.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    seen = api.get_function(FunctionName="f")
    assert seen["Configuration"]["State"] == "Active" and seen["Tags"] == {"fractal:owner": "me"}
    assert seen["Configuration"]["RevisionId"] != made["RevisionId"]
    refused("PreconditionFailedException", api.update_function_code, FunctionName="f", ZipFile=second, RevisionId=made["RevisionId"])
    dry = api.update_function_code(FunctionName="f", ZipFile=second, DryRun=True)
    assert dry["CodeSha256"] != made["CodeSha256"]
    assert api.get_function_configuration(FunctionName="f")["CodeSha256"] == made["CodeSha256"]
    client("s3").put_object(Bucket="staging", Key="code.zip", Body=second)
    updated = api.update_function_code(FunctionName="f", S3Bucket="staging", S3Key="code.zip")
    assert updated["LastUpdateStatus"] == "InProgress"
    client("s3").delete_object(Bucket="staging", Key="code.zip")
    refused("ResourceConflictException", api.update_function_configuration, FunctionName="f", Timeout=9)
    api.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    refused("InvalidParameterValueException", api.update_function_code, FunctionName="f", ImageUri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1")
    api.update_function_configuration(FunctionName="f", Timeout=9, Environment={"Variables": {}})
    api.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    now = api.get_function_configuration(FunctionName="f")
    assert now["Timeout"] == 9 and "Environment" not in now
    api.tag_resource(Resource=now["FunctionArn"], Tags={"more": "x"})
    api.untag_resource(Resource=now["FunctionArn"], TagKeys=["fractal:owner"])
    assert api.list_tags(Resource=now["FunctionArn"])["Tags"] == {"more": "x"}
    assert api.publish_version(FunctionName="f")["Version"] == "1"
    assert api.publish_version(FunctionName="f")["Version"] == "1"
    assert api.create_alias(FunctionName="f", Name="live", FunctionVersion="1")["AliasArn"].endswith(":f:live")
    refused("ResourceConflictException", api.create_alias, FunctionName="f", Name="live", FunctionVersion="1")
    assert api.get_function(FunctionName="f", Qualifier="live")["Configuration"]["Version"] == "1"
    rows = api.list_functions()["Functions"]
    assert [row["FunctionName"] for row in rows] == ["f"] and "State" not in rows[0]
    assert client("lambda", region="us-east-1").list_functions()["Functions"] == []
    api.delete_function(FunctionName="f")
    refused("ResourceNotFoundException", api.delete_function, FunctionName="f")
    return now["CodeSha256"]


print(json.dumps({"arn": sts_and_iam(), "registry": ecr(), "objects": s3(), "code": functions(), "boto3": boto3.__version__}))
