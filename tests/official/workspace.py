"""The emulator's image servers and IAM as Huawei's Python SDK sees them. Endpoints, region and keys come from the
environment; the project has 230 servers, 0 to 229, of which 7 is being created and the deletion of 8 fails."""

import os
import time

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import (
    ClientRequestException,
    SdkException,
    ServiceResponseException,
)
from huaweicloudsdkworkspaceapp.v1 import WorkspaceAppClient
from huaweicloudsdkworkspaceapp.v1.model import (
    BatchDeleteImageServerReq,
    BatchDeleteImageServerRequest,
    ListImageServersRequest,
    ShowImageJobRequest,
    ShowImageServerRequest,
)

from runner import main

ENDPOINT = os.environ["IMGCTL_WORKSPACE_ENDPOINT"]
PROJECT = os.environ["SANDBOX_PROJECT"]
ACCESS_KEY = os.environ["HUAWEICLOUD_SDK_AK"]
SECRET_KEY = os.environ["HUAWEICLOUD_SDK_SK"]
TOKEN = os.environ["SANDBOX_TOKEN"]


def client(access_key=ACCESS_KEY, secret_key=SECRET_KEY, project=PROJECT, session=None):
    keys = BasicCredentials(access_key, secret_key, project)
    if session:
        keys = keys.with_security_token(session)
    return WorkspaceAppClient.new_builder().with_credentials(keys).with_endpoint(ENDPOINT).build()


def refused(call, *arguments):
    """The error that a call must end with."""
    try:
        answer = call(*arguments)
    except ServiceResponseException as error:
        assert error.request_id, error
        return error.status_code, error.error_code
    raise AssertionError(f"it was done: {answer}")


def listing(**narrowed):
    return ListImageServersRequest(**narrowed)


def deletion(*ids, recursive=False):
    return BatchDeleteImageServerRequest(body=BatchDeleteImageServerReq(items=list(ids), recursive=recursive))


def all_ids():
    ids = []
    while True:
        page = client().list_image_servers(listing(limit=100, offset=len(ids)))
        ids += [server.id for server in page.items]
        if len(page.items) < 100:
            assert page.count == len(ids)
            return ids


def ended(job):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        answer = client().show_image_job(ShowImageJobRequest(job_id=job))
        if answer.status in ("SUCCESS", "FAILED"):
            return answer
        assert answer.status in ("WAITING", "RUNNING"), answer
        time.sleep(0.2)
    raise AssertionError(f"{job} does not end")


def test_pages_and_their_limits():
    assert len(client().list_image_servers(listing()).items) == 10
    assert all_ids() == [str(number) for number in range(230)]
    assert refused(client().list_image_servers, listing(limit=101)) == (400, "WKS.00211102")


def test_a_listing_can_be_narrowed():
    found = client().list_image_servers(listing(server_name="server-22", limit=100))
    assert {server.id for server in found.items} == {"22"} | {str(number) for number in range(220, 230)}
    assert client().list_image_servers(listing(server_id="no-such")).count == 0
    # Signed as it is meant, sent as it must be encoded.
    assert client().list_image_servers(listing(server_name="a b+c/d é~")).items == []


def test_every_field_of_a_server_is_one_that_the_sdk_knows():
    server = client().show_image_server(ShowImageServerRequest(server_id="1"))
    unset = [name for name, value in server.to_dict().items() if value is None]
    assert not unset, unset
    assert server.status == "BUILT" and server.image_ref.id == "source-of-1", server
    assert refused(client().show_image_server, ShowImageServerRequest(server_id="no-such")) == (404, "WKS.00211902")


def test_a_deletion_is_a_job_and_ignores_what_is_not_there():
    job = ended(client().batch_delete_image_server(deletion("100", "101", "no-such")).job_id)
    assert job.status == "SUCCESS" and job.job_type == "DELETE_SERVER" and job.sub_jobs_total == 2, job
    assert [sub_job.job_resource_info.resource_id for sub_job in job.sub_jobs] == ["100", "101"]
    assert client().list_image_servers(listing(server_id="100")).count == 0


def test_a_deletion_that_fails_says_why():
    job = ended(client().batch_delete_image_server(deletion("8", recursive=True)).job_id)
    assert job.status == "FAILED", job
    assert job.sub_jobs[0].job_execute_info.error_code == "WKS.00211401", job
    assert client().list_image_servers(listing(server_id="8")).count == 1


def test_a_whole_deletion_is_refused_for_one_bad_part():
    for ids in (["9", "7"], ["9", "9"], [], [str(number) for number in range(200, 221)]):
        assert refused(client().batch_delete_image_server, deletion(*ids)) == (400, "WKS.00211102"), ids
    assert client().show_image_server(ShowImageServerRequest(server_id="9")).status == "BUILT"


def test_a_token_does_as_well_as_a_signature():
    def with_token(token):
        invoker = client().list_image_servers_invoker(listing(limit=1))
        # The SDK signs only what has no such header yet.
        return invoker.add_header("X-Auth-Token", token).add_header("Authorization", "").invoke

    assert len(with_token(TOKEN)().items) == 1
    assert refused(with_token("no-such")) == (401, "APIGW.0301")


def test_the_project_is_found_by_the_name_of_the_region():
    from huaweicloudsdkcore.region.region import Region

    keys = BasicCredentials(ACCESS_KEY, SECRET_KEY).with_iam_endpoint(ENDPOINT)
    region = Region(os.environ["HW_REGION_NAME"], ENDPOINT)
    found = WorkspaceAppClient.new_builder().with_credentials(keys).with_region(region).build()
    assert len(found.list_image_servers(listing(limit=1)).items) == 1
    assert keys.project_id == PROJECT


def test_temporary_keys_need_their_token():
    keys = ("temporary", "secret-of-temporary")
    assert len(client(*keys, session="session").list_image_servers(listing(limit=1)).items) == 1
    assert refused(client(*keys).list_image_servers, listing()) == (401, "APIGW.0301")


def test_a_wrong_secret_locks_its_key_after_five_times():
    """Last, because the key stays locked."""
    wrong = client(secret_key="wrong")
    for _ in range(5):
        assert refused(wrong.list_image_servers, listing()) == (401, "APIGW.0301")
    try:
        client().list_image_servers(listing())
    except ClientRequestException as error:
        assert "AK access failed to reach the limit" in error.error_msg, error
    except SdkException as error:
        raise AssertionError(error) from error
    else:
        raise AssertionError("the key is locked")


if __name__ == "__main__":
    main(globals())
