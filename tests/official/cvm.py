"""The emulator's CVM as tccli and the Python SDK see it. Endpoint, region and keys come from the environment; the
region has 250 images, img-more0 to img-more249, and some of each kind that cannot be deleted."""

import json
import os
import subprocess
import sys
import time

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client, models

from runner import main

ENDPOINT = os.environ["IMGCTL_CVM_ENDPOINT"]
REGION = os.environ["TENCENTCLOUD_REGION"]


def client(secret_id=None, secret_key=None, token=None, region=REGION):
    host = ENDPOINT.removeprefix("http://")
    profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=host, reqTimeout=10))
    profile.language = "en-US"
    keys = credential.Credential(
        secret_id or os.environ["TENCENTCLOUD_SECRET_ID"],
        secret_key or os.environ["TENCENTCLOUD_SECRET_KEY"],
        token,
    )
    return cvm_client.CvmClient(keys, region, profile)


def unthrottled(call, throttled):
    """Repeats a call while it is throttled. A busy machine can send more calls within one second than are allowed."""
    for _ in range(10):
        answer = call()
        if not throttled(answer):
            break
        time.sleep(1.1)
    return answer


def ask(action, _client=None, **fields):
    """One call of the SDK, its request filled from fields as JSON has them."""
    request = getattr(models, action + "Request")()
    request.from_json_string(json.dumps(fields))

    def call():
        try:
            return getattr(_client or client(), action)(request)
        except TencentCloudSDKException as error:
            return error

    answer = unthrottled(call, lambda answer: getattr(answer, "code", "") == "RequestLimitExceeded")
    if isinstance(answer, Exception):
        raise answer
    return answer


def refused(call, *arguments, **fields):
    """The error that a call must end with."""
    try:
        answer = call(*arguments, **fields)
    except TencentCloudSDKException as error:
        assert error.requestId, error
        return error.code
    raise AssertionError(f"it was done: {answer}")


def tccli(action, *arguments, product="cvm", fails=False, **environment):
    """Runs tccli; its JSON, or what it said when it was to fail."""
    program = os.path.join(os.path.dirname(sys.executable), "tccli")
    done = unthrottled(lambda: subprocess.run(
        [program, product, action, "--endpoint", ENDPOINT, *arguments],
        capture_output=True, text=True, env={**os.environ, **environment}, timeout=120,
    ), lambda done: "RequestLimitExceeded" in done.stdout + done.stderr)
    assert (done.returncode != 0) == fails, (done.returncode, done.stdout, done.stderr)
    return done.stderr + done.stdout if fails else json.loads(done.stdout)


def present(*ids):
    answer = ask("DescribeImages", ImageIds=list(ids), Limit=100)
    return sorted(image.ImageId for image in answer.ImageSet)


def test_the_sdk_pages_through_all_images():
    own = [{"Name": "image-type", "Values": ["PRIVATE_IMAGE"]}]
    seen, sizes, offset = set(), [], 0
    while True:
        page = ask("DescribeImages", Filters=own, Limit=100, Offset=offset)
        seen |= {image.ImageId for image in page.ImageSet}
        sizes.append(len(page.ImageSet))
        offset += len(page.ImageSet)
        if len(page.ImageSet) < 100:
            break
    assert page.TotalCount == len(seen) == offset, (page.TotalCount, len(seen), offset)
    assert sizes[:2] == [100, 100] and len(sizes) == 3, sizes
    assert len(ask("DescribeImages").ImageSet) == 20
    code = refused(ask, "DescribeImages", Limit=101)
    assert code == "InvalidParameterValue.InvalidParameterValueLimit", code


def test_every_field_of_an_image_is_one_that_the_sdk_knows():
    answer = json.loads(ask("DescribeImages", ImageIds=["img-more0"]).to_json_string())
    image = answer["ImageSet"][0]
    known = {name for name in dir(models.Image) if name[0].isupper()}
    assert set(image) == known, set(image) ^ known
    assert image["ImageState"] == "NORMAL" and image["ImageType"] == "PRIVATE_IMAGE"
    assert [snapshot["DiskUsage"] for snapshot in image["SnapshotSet"]] == ["SYSTEM_DISK"]


def test_the_sdk_rehearses_and_deletes():
    assert ask("DeleteImages", ImageIds=["img-more1"], DryRun=True).RequestId
    assert present("img-more1") == ["img-more1"]
    assert ask("DeleteImages", ImageIds=["img-more1", "img-more2"], DeleteBindedSnap=True).RequestId
    assert present("img-more1", "img-more2", "img-more3") == ["img-more3"]


def test_one_bad_id_keeps_all_and_is_named_by_code():
    for bad, expected in {
        "img-absent": "InvalidImageId.NotFound",
        "ami-1": "InvalidImageId.Malformed",
        "img-creating": "InvalidImageId.IncorrectState",
        "img-sharing": "InvalidImageId.InShared",
        "img-shared": "InvalidParameterValue.InvalidImageIdIsShared",
        "img-public": "InvalidParameterValue.InvalidImageId",
    }.items():
        code = refused(ask, "DeleteImages", ImageIds=["img-more3", bad])
        assert code == expected, (bad, code)
    assert present("img-more3") == ["img-more3"]


def test_an_image_that_is_shared_can_go_once_it_is_not():
    shares = ask("DescribeImageSharePermission", ImageId="img-sharing").SharePermissionSet
    accounts = [share.AccountId for share in shares]
    assert accounts == ["100000000002"], accounts
    ask("ModifyImageSharePermission", ImageId="img-sharing", AccountIds=accounts, Permission="CANCEL")
    ask("DeleteImages", ImageIds=["img-sharing"])
    assert present("img-sharing") == []
    assert ask("DescribeImageQuota").ImageNumQuota == 500


def test_what_uses_images_is_listed():
    instance = ask("DescribeInstances", Limit=100).InstanceSet[0]
    assert instance.ImageId == "img-more4", instance
    template = ask("DescribeLaunchTemplates").LaunchTemplateSet[0]
    versions = ask("DescribeLaunchTemplateVersions", LaunchTemplateId=template.LaunchTemplateId)
    data = versions.LaunchTemplateVersionSet[0].LaunchTemplateVersionData
    assert data.ImageId == "img-more5", data


def test_wrong_keys_tokens_and_regions_are_refused():
    for wrong, expected in (
        ({"secret_id": "AKIDunknown"}, "AuthFailure.SecretIdNotFound"),
        ({"secret_key": "wrong"}, "AuthFailure.SignatureFailure"),
        ({"token": "stale"}, "AuthFailure.TokenFailure"),
        ({"region": "mars-north-1"}, "UnsupportedRegion"),
    ):
        code = refused(ask, "DescribeImages", client(**wrong))
        assert code == expected, code


def test_tccli_describes_with_a_host_header_that_is_a_url():
    answer = tccli("DescribeImages", "--Filters", '[{"Name":"image-id","Values":["img-more6"]}]')
    assert answer["TotalCount"] == 1 and answer["ImageSet"][0]["ImageId"] == "img-more6", answer


def test_tccli_rehearses_then_deletes_then_is_told_that_it_is_gone():
    ids = ("--ImageIds", '["img-more7"]')
    assert set(tccli("DeleteImages", *ids, "--DryRun", "True")) == {"RequestId"}
    assert present("img-more7") == ["img-more7"]
    tccli("DeleteImages", *ids, "--DeleteBindedSnap", "True")
    assert present("img-more7") == []
    assert "code:InvalidImageId.NotFound" in tccli("DeleteImages", *ids, fails=True)


def test_tccli_with_a_wrong_key_is_refused():
    said = tccli("DescribeImages", fails=True, TENCENTCLOUD_SECRET_KEY="wrong")
    assert "code:AuthFailure.SignatureFailure" in said, said


def test_tccli_reads_the_launch_configurations_of_auto_scaling():
    answer = tccli("DescribeLaunchConfigurations", product="as")
    configuration = answer["LaunchConfigurationSet"][0]
    assert configuration["ImageFamily"] == "web", configuration
    assert configuration["LaunchConfigurationStatus"] == "IMAGE_ABNORMAL", configuration


if __name__ == "__main__":
    main(globals())
