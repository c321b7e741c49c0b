"""The emulator's ECR as boto3 and the AWS CLI see it. Endpoint, region and keys come from the environment; the
repository many/images was filled with 2,350 images."""

import json
import os
import subprocess
import sys
import time

from botocore.exceptions import ClientError

from common import (
    client, codes, image_manifest, index_manifest, push_image, push_layer, put, refused, sha256,
)
from runner import main


def repository(name, **options):
    """A client, and a new repository."""
    ecr = client()
    ecr.create_repository(repositoryName=name, **options)
    return ecr


def aws(*arguments, fails=False, **environment):
    """Runs the AWS CLI; its JSON, or what it said when it was to fail."""
    program = os.path.join(os.path.dirname(sys.executable), "aws")
    done = subprocess.run(
        [program, *arguments, "--output", "json"],
        capture_output=True, text=True, env={**os.environ, **environment}, timeout=120,
    )
    assert (done.returncode != 0) == fails, (done.returncode, done.stdout, done.stderr)
    if fails:
        return done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_a_repository_is_created_described_and_deleted():
    ecr = repository("boto/repositories", imageTagMutability="IMMUTABLE")
    found = ecr.describe_repositories(repositoryNames=["boto/repositories"])["repositories"][0]
    assert found["repositoryUri"].endswith(".amazonaws.com/boto/repositories"), found
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["createdAt"].tzinfo is not None
    try:
        ecr.create_repository(repositoryName="boto/repositories")
        raise AssertionError("made twice")
    except ecr.exceptions.RepositoryAlreadyExistsException as error:
        assert error.response["ResponseMetadata"]["RequestId"], error.response
    ecr.delete_repository(repositoryName="boto/repositories")
    gone = refused(ecr.describe_repositories, repositoryNames=["boto/repositories"])
    assert gone == "RepositoryNotFoundException", gone


def test_layers_in_parts_then_an_image_then_its_description():
    ecr = repository("boto/push")
    layer = os.urandom((6 << 20) + 5)
    manifest, blobs = image_manifest("large", layer)
    missing = refused(ecr.put_image, repositoryName="boto/push", imageManifest=manifest, imageTag="v1")
    assert missing == "LayersNotFoundException", missing
    for blob in blobs:
        push_layer(ecr, "boto/push", blob)
    put(ecr, "boto/push", manifest, "v1", "latest")
    digest = sha256(manifest.encode())
    detail = ecr.describe_images(repositoryName="boto/push", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert detail["imageDigest"] == digest
    assert sorted(detail["imageTags"]) == ["latest", "v1"]
    assert detail["imageSizeInBytes"] == sum(map(len, blobs))
    got = ecr.batch_get_image(repositoryName="boto/push", imageIds=[{"imageTag": "v1"}])
    assert got["images"][0]["imageManifest"] == manifest and not got["failures"]
    layers = ecr.batch_check_layer_availability(
        repositoryName="boto/push", layerDigests=[sha256(layer), sha256(b"absent"), "nonsense"]
    )
    states = {entry["layerDigest"]: entry["layerAvailability"] for entry in layers["layers"]}
    assert states == {sha256(layer): "AVAILABLE", sha256(b"absent"): "UNAVAILABLE"}, layers
    assert codes(layers) == ["InvalidLayerDigest"]


def test_deletions_by_tag_by_digest_and_by_both():
    ecr = repository("boto/delete")
    first, _ = push_image(ecr, "boto/delete", "first", "a", "b", "c")
    second, _ = push_image(ecr, "boto/delete", "second", "d", "e")

    def delete(*ids):
        return ecr.batch_delete_image(repositoryName="boto/delete", imageIds=list(ids))

    def tags():
        listed = ecr.list_images(repositoryName="boto/delete")["imageIds"]
        return sorted(image.get("imageTag", "") for image in listed)

    assert delete({"imageTag": "a"})["imageIds"] == [{"imageDigest": first, "imageTag": "a"}]
    assert codes(delete({"imageTag": "a"})) == ["ImageNotFound"]
    assert codes(delete({"imageTag": "b", "imageDigest": second})) == ["ImageTagDoesNotMatchDigest"]
    assert tags() == ["b", "c", "d", "e"]
    gone = delete({"imageTag": "b", "imageDigest": first})
    assert gone["imageIds"] == [{"imageDigest": first, "imageTag": "b"}] and not gone["failures"]
    assert tags() == ["c", "d", "e"]
    both = delete({"imageDigest": second})["imageIds"]
    assert both == [{"imageDigest": second, "imageTag": tag} for tag in ("d", "e")], both
    delete({"imageTag": "c"})
    assert tags() == [], "the last tag takes its image along"


def test_what_an_index_holds_is_protected():
    ecr = repository("boto/index")
    child, manifest = push_image(ecr, "boto/index", "child", "child")
    missing = index_manifest(image_manifest("never pushed")[0])
    code = refused(ecr.put_image, repositoryName="boto/index", imageManifest=missing)
    assert code == "ReferencedImagesNotFoundException", code
    index = index_manifest(manifest)
    put(ecr, "boto/index", index, "v1")
    for image in ({"imageDigest": child}, {"imageTag": "child"}):
        answer = ecr.batch_delete_image(repositoryName="boto/index", imageIds=[image])
        assert codes(answer) == ["ImageReferencedByManifestList"], answer
        assert sha256(index.encode()) in answer["failures"][0]["failureReason"]
    both = [{"imageDigest": sha256(index.encode())}, {"imageDigest": child}]
    answer = ecr.batch_delete_image(repositoryName="boto/index", imageIds=both)
    assert len(answer["imageIds"]) == 1 and codes(answer) == ["ImageReferencedByManifestList"], answer
    assert not ecr.batch_delete_image(repositoryName="boto/index", imageIds=both[1:])["failures"]


def test_paging_through_many_images():
    ecr = client()
    for operation, members, size in (
        ("list_images", "imageIds", 50), ("list_images", "imageIds", 1000), ("describe_images", "imageDetails", 90),
    ):
        pages = ecr.get_paginator(operation).paginate(
            repositoryName="many/images", PaginationConfig={"PageSize": size}
        )
        lengths, digests = [], set()
        for page in pages:
            lengths.append(len(page[members]))
            digests.update(image["imageDigest"] for image in page[members])
        assert len(digests) == sum(lengths) == 2350, lengths
        assert set(lengths[:-1]) == {size}, lengths
    code = refused(ecr.list_images, repositoryName="many/images", nextToken="bogus")
    assert code == "InvalidParameterException", code


def test_limits_that_the_client_leaves_to_the_service():
    ecr = client()
    ids = [{"imageTag": f"v{number}"} for number in range(101)]
    for call in (ecr.batch_delete_image, ecr.batch_get_image, ecr.describe_images):
        assert refused(call, repositoryName="many/images", imageIds=ids) == "InvalidParameterException"
    missing = [{"imageTag": "v0"}, {"imageTag": "absent"}]
    assert refused(ecr.describe_images, repositoryName="many/images", imageIds=missing) == "ImageNotFoundException"


def test_regions_and_accounts_are_apart():
    there = {"repositoryName": "many/images"}
    assert refused(client(region_name="us-east-1").list_images, **there) == "RepositoryNotFoundException"
    assert refused(client().list_images, registryId="999999999999", **there) == "RepositoryNotFoundException"


def test_wrong_keys_are_refused():
    key = {"aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"]}
    for options, expected in (
        ({**key, "aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"aws_access_key_id": "AKIAUNKNOWN", "aws_secret_access_key": "x"}, "UnrecognizedClientException"),
    ):
        try:
            client(**options).describe_repositories()
            raise AssertionError("believed")
        except ClientError as error:
            assert error.response["Error"]["Code"] == expected, error
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_an_attached_signature_is_found_by_its_subject():
    ecr = repository("boto/referrers")
    digest, manifest = push_image(ecr, "boto/referrers", "app", "v1")
    push_layer(ecr, "boto/referrers", b"{}")
    signature = json.loads(image_manifest("app")[0])
    signature["artifactType"] = "application/vnd.example.signature"
    signature["subject"] = {"mediaType": signature["mediaType"], "digest": digest, "size": len(manifest)}
    put(ecr, "boto/referrers", json.dumps(signature))
    found = ecr.list_image_referrers(repositoryName="boto/referrers", subjectId={"imageDigest": digest})
    assert [entry["artifactType"] for entry in found["referrers"]] == ["application/vnd.example.signature"], found


def test_a_deletion_is_undone_by_putting_manifests_back():
    ecr = repository("boto/undo")
    child, manifest = push_image(ecr, "boto/undo", "child", "child")
    index = index_manifest(manifest)
    put(ecr, "boto/undo", index, "v1", "latest")
    digest = sha256(index.encode())
    got = ecr.batch_get_image(repositoryName="boto/undo", imageIds=[{"imageDigest": digest}, {"imageDigest": child}])
    saved = {image["imageId"]["imageDigest"]: image["imageManifest"] for image in got["images"]}
    assert saved == {digest: index, child: manifest}
    for image in (digest, child):
        gone = ecr.batch_delete_image(repositoryName="boto/undo", imageIds=[{"imageDigest": image}])
        assert not gone["failures"], gone
    code = refused(ecr.put_image, repositoryName="boto/undo", imageManifest=saved[digest], imageDigest=digest)
    assert code == "ReferencedImagesNotFoundException", "the index goes last"
    changed = refused(ecr.put_image, repositoryName="boto/undo", imageManifest=saved[child] + "\n", imageDigest=child)
    assert changed == "ImageDigestDoesNotMatchException", changed
    put(ecr, "boto/undo", saved[child], "child")
    put(ecr, "boto/undo", saved[digest], "v1", "latest")
    code = refused(ecr.put_image, repositoryName="boto/undo", imageManifest=index, imageTag="v1")
    assert code == "ImageAlreadyExistsException", code
    details = ecr.describe_images(repositoryName="boto/undo")["imageDetails"]
    tags = {detail["imageDigest"]: sorted(detail["imageTags"]) for detail in details}
    assert tags == {digest: ["latest", "v1"], child: ["child"]}, tags


def test_an_image_goes_to_the_archive_and_comes_back():
    ecr = repository("boto/archive")
    digest, _ = push_image(ecr, "boto/archive", "app", "v1")
    named = {"repositoryName": "boto/archive", "imageId": {"imageDigest": digest}}
    assert refused(ecr.update_image_storage_class, targetStorageClass="STANDARD", **named) == (
        "ImageStorageClassUpdateNotSupportedException"
    )
    archived = ecr.update_image_storage_class(targetStorageClass="ARCHIVE", **named)
    assert archived["imageStatus"] == "ARCHIVED" and archived["imageId"] == {"imageDigest": digest}, archived

    def details(status):
        filtered = ecr.describe_images(repositoryName="boto/archive", filter={"imageStatus": status})
        return filtered["imageDetails"]

    assert details("ACTIVE") == []
    assert details("ANY")[0]["lastArchivedAt"].tzinfo is not None
    pulled = ecr.batch_get_image(repositoryName="boto/archive", imageIds=[{"imageTag": "v1"}])
    assert codes(pulled) == ["ImageInaccessible"], pulled
    assert ecr.update_image_storage_class(targetStorageClass="STANDARD", **named)["imageStatus"] == "ACTIVATING"
    # It may become active between two questions.
    assert (details("ACTIVATING") + details("ACTIVE"))[0]["imageDigest"] == digest
    for _ in range(100):
        status = details("ANY")[0]["imageStatus"]
        if status == "ACTIVE":
            break
        assert status == "ACTIVATING", status
        time.sleep(0.1)
    assert details("ACTIVE")[0]["lastActivatedAt"].tzinfo is not None
    absent = {**named, "imageId": {"imageTag": "absent"}}
    assert refused(ecr.update_image_storage_class, targetStorageClass="ARCHIVE", **absent) == "ImageNotFoundException"


def test_the_command_line_client():
    identity = aws("sts", "get-caller-identity")
    created = aws("ecr", "create-repository", "--repository-name", "cli/app")["repository"]
    assert created["repositoryUri"].startswith(identity["Account"] + ".dkr.ecr."), created
    digest, _ = push_image(client(), "cli/app", "app", "v1", "v2")
    named = ["--repository-name", "cli/app"]
    details = aws("ecr", "describe-images", *named)["imageDetails"]
    assert [detail["imageDigest"] for detail in details] == [digest]
    deleted = aws("ecr", "batch-delete-image", *named, "--image-ids", "imageTag=v1", "imageTag=v9")
    assert deleted["imageIds"] == [{"imageDigest": digest, "imageTag": "v1"}] and codes(deleted) == ["ImageNotFound"]
    many = aws("ecr", "list-images", "--repository-name", "many/images", "--page-size", "500")
    assert len(many["imageIds"]) == 2350


def test_the_command_line_client_with_a_wrong_secret():
    said = aws("ecr", "describe-repositories", fails=True, AWS_SECRET_ACCESS_KEY="wrong")
    assert "InvalidSignatureException" in said, said
    said = aws("sts", "get-caller-identity", fails=True, AWS_SECRET_ACCESS_KEY="wrong")
    assert "SignatureDoesNotMatch" in said, said


if __name__ == "__main__":
    main(globals())
