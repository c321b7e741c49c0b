"""The same requests to the emulator and to moto, where moto is known to answer as ECR does: both must say the same.
moto runs as a process of its own on a port that it is given."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

from botocore.exceptions import ClientError

from common import OCI_MANIFEST, client, image_manifest, push_image, sha256
from runner import main

# Of an answer, what differs by design: times, and sizes, which moto takes from the config alone. The rest must agree.
IGNORED = {
    "ResponseMetadata", "createdAt", "imagePushedAt", "imageSizeInBytes", "repositoryUri", "repositoryArn",
    # moto does not know these, or fills in a default of its own.
    "artifactMediaType", "mediaType", "imageStatus", "lastRecordedPullTime", "encryptionConfiguration",
    "imageScanningConfiguration", "imageTagMutabilityExclusionFilters",
}

TEXTS = {name: image_manifest(name)[0] for name in ("one", "two", "three")}
ONE, TWO, THREE = (sha256(text.encode()) for text in TEXTS.values())
ABSENT = sha256(b"absent")
APP, NOWHERE = {"repositoryName": "team/app"}, {"repositoryName": "no/where"}


def put(name, **more):
    """A request to put back the manifest of an image."""
    text = TEXTS[name]
    media_type = {"imageManifestMediaType": OCI_MANIFEST, "imageDigest": sha256(text.encode())}
    return "put_image", {**APP, "imageManifest": text, **media_type, **more}


# In this order, on a repository with one (v1, v2, latest), two (v3) and three (no tag).
REQUESTS = [
    ("describe_repositories", {"repositoryNames": ["team/app"]}),
    ("describe_repositories", {"repositoryNames": ["no/where"]}),
    ("create_repository", APP),
    ("delete_repository", APP),
    ("delete_repository", NOWHERE),
    ("list_images", APP),
    ("list_images", NOWHERE),
    ("list_images", {**APP, "filter": {"tagStatus": "TAGGED"}}),
    ("list_images", {**APP, "filter": {"tagStatus": "UNTAGGED"}}),
    ("list_images", {**APP, "registryId": "999999999999"}),
    ("describe_images", APP),
    ("describe_images", NOWHERE),
    ("describe_images", {**APP, "imageIds": [{"imageTag": "v1"}]}),
    ("describe_images", {**APP, "imageIds": [{"imageDigest": THREE}]}),
    ("describe_images", {**APP, "imageIds": [{"imageTag": "v1"}, {"imageTag": "absent"}]}),
    ("describe_images", {**APP, "imageIds": [{"imageDigest": ABSENT}]}),
    ("describe_images", {**APP, "registryId": "999999999999"}),
    ("batch_get_image", {**APP, "imageIds": [{"imageTag": "v3"}]}),
    ("batch_get_image", {**APP, "imageIds": [{"imageTag": "absent"}]}),
    ("batch_get_image", {**NOWHERE, "imageIds": [{"imageTag": "v1"}]}),
    ("batch_check_layer_availability", {**APP, "layerDigests": [sha256(b"the same in all")]}),
    ("batch_check_layer_availability", {**NOWHERE, "layerDigests": [ABSENT]}),
    ("get_lifecycle_policy", APP),
    ("get_lifecycle_policy", NOWHERE),
    ("batch_delete_image", {**NOWHERE, "imageIds": [{"imageTag": "v1"}]}),
    ("batch_delete_image", {**APP, "imageIds": [{}]}),
    ("batch_delete_image", {**APP, "imageIds": [{"imageDigest": "sha256"}]}),
    ("batch_delete_image", {**APP, "imageIds": [{"imageTag": "absent"}]}),
    ("batch_delete_image", {**APP, "imageIds": [{"imageDigest": ABSENT}]}),
    ("batch_delete_image", {**APP, "imageIds": [{"imageTag": "v1"}]}),
    ("batch_delete_image", {**APP, "imageIds": [{"imageTag": "v1"}]}),
    ("list_images", APP),
    ("batch_delete_image", {**APP, "imageIds": [{"imageDigest": ONE}]}),
    ("list_images", APP),
    ("batch_delete_image", {**APP, "imageIds": [{"imageTag": "v3"}]}),
    ("list_images", APP),
    put("one", imageTag="v1"),
    put("one", imageTag="v1"),
    put("one", imageTag="latest"),
    put("three", imageTag="latest"),
    put("two"),
    put("two", imageTag="v3"),
    ("batch_get_image", {**APP, "imageIds": [{"imageTag": "v1"}]}),
    ("list_images", APP),
    ("delete_repository", {**APP, "force": True}),
    ("list_images", APP),
]


@contextlib.contextmanager
def moto():
    """A moto server; its URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    program = os.path.join(os.path.dirname(sys.executable), "moto_server")
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def fill(ecr):
    ecr.create_repository(**APP)
    for name, *tags in (("one", "v1", "v2", "latest"), ("two", "v3"), ("three",)):
        push_image(ecr, "team/app", name, *tags)


def ask(ecr, operation, parameters):
    """What a call came to, without what may differ and in one order."""
    try:
        return plain(getattr(ecr, operation)(**parameters))
    except ClientError as error:
        response = error.response
        return {"status": response["ResponseMetadata"]["HTTPStatusCode"], "error": response["Error"]}


def plain(value):
    if isinstance(value, dict):
        return {name: plain(member) for name, member in sorted(value.items()) if name not in IGNORED}
    if isinstance(value, list):
        return sorted(map(plain, value), key=json.dumps)
    return value


def test_both_answer_the_same():
    with moto() as url:
        services = [client(), client(endpoint_url=url)]
        for ecr in services:
            fill(ecr)
        for operation, parameters in REQUESTS:
            mine, theirs = (ask(ecr, operation, parameters) for ecr in services)
            assert mine == theirs, f"{operation} {parameters}\nours: {mine}\nmoto: {theirs}"


if __name__ == "__main__":
    main(globals())
