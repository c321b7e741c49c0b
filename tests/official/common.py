"""What the scripts about ECR share: a client and manifests."""

import hashlib
import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def client(**options):
    """A client without retries, so that each call is one request."""
    return boto3.client("ecr", config=Config(retries={"total_max_attempts": 1}), **options)


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def image_manifest(name, layer=b"the same in all"):
    """A manifest, and the blobs that it needs."""
    config = json.dumps({"name": name}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    }
    return json.dumps(manifest), [config, layer]


def index_manifest(*manifests):
    return json.dumps({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_MANIFEST, text.encode()) for text in manifests],
    })


def push_layer(ecr, repository, data, part_size=5 << 20):
    upload = ecr.initiate_layer_upload(repositoryName=repository)
    for first in range(0, len(data), part_size):
        part = data[first:first + part_size]
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(part) - 1,
            layerPartBlob=part,
        )
    done = ecr.complete_layer_upload(
        repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[sha256(data)]
    )
    assert done["layerDigest"] == sha256(data), done


def push_image(ecr, repository, name, *tags):
    """Pushes an image as docker does, and returns its digest and manifest."""
    manifest, blobs = image_manifest(name)
    digests = [sha256(blob) for blob in blobs]
    known = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=digests)
    there = {layer["layerDigest"] for layer in known["layers"] if layer["layerAvailability"] == "AVAILABLE"}
    for blob in blobs:
        if sha256(blob) not in there:
            push_layer(ecr, repository, blob)
    put(ecr, repository, manifest, *tags)
    return sha256(manifest.encode()), manifest


def put(ecr, repository, manifest, *tags):
    for tag in tags or [None]:
        named = {"imageTag": tag} if tag else {}
        ecr.put_image(
            repositoryName=repository,
            imageManifest=manifest,
            imageDigest=sha256(manifest.encode()),
            imageManifestMediaType=json.loads(manifest)["mediaType"],
            **named,
        )


def refused(call, **parameters):
    """The code of the error that a call must end with."""
    try:
        answer = call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"it was done: {answer}")


def codes(answer):
    return [failure["failureCode"] for failure in answer["failures"]]
