"""Does with boto3 what a job of the benchmark does: 16 threads, a hundred images a call."""

import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

client = boto3.client("ecr", config=Config(max_pool_connections=16))
verb = sys.argv[1]
if verb == "list":
    for page in client.get_paginator("describe_images").paginate(
        repositoryName="app/000", PaginationConfig={"PageSize": 1000}
    ):
        for image in page["imageDetails"]:
            sys.stdout.write(f"{image['imageDigest']} {image.get('imageTags')}\n")
else:
    digests = [{"imageDigest": line} for line in sys.stdin.read().split()]
    call = client.batch_delete_image if verb == "delete" else client.describe_images
    chunks = [digests[start : start + 100] for start in range(0, len(digests), 100)]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda ids: call(repositoryName="app/000", imageIds=ids), chunks))
    done = sum(len(answer.get("imageIds") or answer.get("imageDetails")) for answer in answers)
    sys.exit(0 if done == len(digests) else f"{done} of {len(digests)}")
