"""The emulator's ECS, EventBridge, Lambda and Inspector, and the registry's rules, as boto3 sees them. Pages hold two things at most."""

import boto3
from botocore.config import Config

from common import client as ecr_client
from common import refused
from runner import main

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app"


def client(service, **options):
    return boto3.client(service, config=Config(retries={"total_max_attempts": 1}), **options)


def listed(service, operation, result, **parameters):
    pages = client(service).get_paginator(operation).paginate(**parameters)
    return [item for page in pages for item in page[result]]


def names(arns):
    return [arn.split("/")[-1] for arn in arns]


def test_clusters_services_and_tasks_are_listed_page_by_page():
    ecs = client("ecs")
    assert names(listed("ecs", "list_clusters", "clusterArns")) == ["batch", "prod"]
    services = listed("ecs", "list_services", "serviceArns", cluster="prod")
    assert names(services) == ["s0", "s1", "s2", "s3", "s4"], services
    tasks = listed("ecs", "list_tasks", "taskArns", cluster="prod")
    assert len(tasks) == 5, tasks
    told = ecs.describe_tasks(cluster="prod", tasks=[*tasks, "nope"])
    assert [task["containers"][0]["imageDigest"][:7] for task in told["tasks"]] == ["sha256:"] * 5
    assert told["failures"] == [{"arn": "nope", "reason": "MISSING"}], told
    described = ecs.describe_services(cluster="prod", services=[services[0], "gone"])
    service = described["services"][0]
    assert service["taskDefinition"].endswith("task-definition/web:2"), service
    assert described["failures"][0]["reason"] == "MISSING"
    revision = service["currentServiceRevisions"][0]["arn"]
    revisions = ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"]
    assert revisions[0]["containerImages"][0]["image"] == f"{HOST}:v2", revisions
    deployments = ecs.list_service_deployments(service=services[0], cluster="prod", status=["SUCCESSFUL"])
    assert [it["targetServiceRevisionArn"] for it in deployments["serviceDeployments"]][-1] == revision
    assert deployments["serviceDeployments"][0]["createdAt"].tzinfo is not None


def test_what_is_not_there_is_refused_as_ecs_refuses_it():
    ecs = client("ecs")
    assert refused(ecs.list_services, cluster="nope") == "ClusterNotFoundException"
    assert refused(ecs.list_service_deployments, service="nope", cluster="prod") == "ServiceNotFoundException"
    assert refused(ecs.describe_services, cluster="prod", services=["s"] * 11) == "InvalidParameterException"
    assert refused(ecs.describe_task_definition, taskDefinition="nope") == "ClientException"


def test_revisions_are_sorted_and_inactive_ones_are_there_while_they_are_used():
    ecs = client("ecs")
    newest = listed("ecs", "list_task_definitions", "taskDefinitionArns", sort="DESC")
    assert names(newest) == ["web:2", "job:1"], newest
    assert names(listed("ecs", "list_task_definitions", "taskDefinitionArns", status="INACTIVE")) == ["web:1", "web:3"]
    definition = ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]
    assert (definition["revision"], definition["status"]) == (2, "ACTIVE")
    assert definition["containerDefinitions"][0]["image"] == f"{HOST}:v2"
    assert ecs.describe_task_definition(taskDefinition="web:1")["taskDefinition"]["status"] == "INACTIVE"
    assert refused(ecs.describe_task_definition, taskDefinition="web:3") == "ClientException"


def test_rules_are_found_by_the_cluster_in_which_they_start_tasks():
    events = client("events")
    cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/batch"
    # boto3 has no paginator for event buses.
    first = events.list_event_buses()
    rest = events.list_event_buses(NextToken=first["NextToken"])
    assert [bus["Name"] for bus in first["EventBuses"] + rest["EventBuses"]] == ["default", "empty", "orders"]
    named = [("default", ["r0", "r1", "r2"]), ("orders", ["r3"]), ("empty", [])]
    for bus, rules in named:
        found = listed("events", "list_rule_names_by_target", "RuleNames", TargetArn=cluster, EventBusName=bus)
        assert found == rules, (bus, found)
    assert listed("events", "list_rule_names_by_target", "RuleNames", TargetArn=cluster) == ["r0", "r1", "r2"]
    targets = listed("events", "list_targets_by_rule", "Targets", Rule="r3", EventBusName="orders")
    started = [names([it["EcsParameters"]["TaskDefinitionArn"]])[0] for it in targets if "EcsParameters" in it]
    assert (started, len(targets)) == (["web:1", "job"], 3), targets
    assert refused(events.list_targets_by_rule, Rule="r3") == "ResourceNotFoundException"
    assert refused(events.list_rule_names_by_target, TargetArn=cluster, EventBusName="no") == "ResourceNotFoundException"


def test_schedules_of_all_groups_are_listed_and_read_one_by_one():
    scheduler = client("scheduler")
    every = listed("scheduler", "list_schedules", "Schedules")
    shown = [(it["GroupName"], it["Name"], it["State"]) for it in every]
    assert shown == [
        ("default", "s0", "ENABLED"), ("default", "s1", "ENABLED"), ("default", "s2", "ENABLED"),
        ("finance", "yearly", "DISABLED"),
    ], shown
    assert [it["Name"] for it in listed("scheduler", "list_schedules", "Schedules", GroupName="finance")] == ["yearly"]
    got = scheduler.get_schedule(Name="s0")
    assert got["Target"]["EcsParameters"]["TaskDefinitionArn"].endswith("task-definition/web:1"), got
    assert got["CreationDate"].tzinfo is not None
    got = scheduler.get_schedule(Name="yearly", GroupName="finance")
    assert got["Target"]["Input"] == '{"TaskDefinition":"web:1"}' and got["Target"]["Arn"] == every[3]["Target"]["Arn"]
    assert refused(scheduler.get_schedule, Name="yearly") == "ResourceNotFoundException"


def test_functions_with_all_their_versions_name_the_image_that_they_resolved():
    functions = client("lambda")
    every = listed("lambda", "list_functions", "Functions", FunctionVersion="ALL")
    shown = [(it["FunctionName"], it["Version"], it["PackageType"]) for it in every]
    assert shown == [
        ("thumbs", "$LATEST", "Image"), ("thumbs", "1", "Image"), ("thumbs", "2", "Image"), ("zip", "$LATEST", "Zip"),
    ], shown
    assert len(listed("lambda", "list_functions", "Functions")) == 2
    got = functions.get_function(FunctionName="thumbs", Qualifier="1")
    assert got["Code"]["ImageUri"] == f"{HOST}:v1"
    assert got["Code"]["ResolvedImageUri"].startswith(f"{HOST}@sha256:")
    assert functions.get_function(FunctionName="thumbs", Qualifier="$LATEST")["Configuration"]["Version"] == "$LATEST"
    assert refused(functions.get_function, FunctionName="nope") == "ResourceNotFoundException"
    assert refused(functions.get_function, FunctionName="thumbs", Qualifier="9") == "ResourceNotFoundException"
    aliases = listed("lambda", "list_aliases", "Aliases", FunctionName="thumbs")
    assert [(it["Name"], it["FunctionVersion"]) for it in aliases] == [("live", "2")]


def test_inspector_tells_which_images_are_in_use():
    criteria = {
        "resourceType": [{"comparison": "EQUALS", "value": "AWS_ECR_CONTAINER_IMAGE"}],
        "ecrImageInUseCount": [{"lowerInclusive": 1}],
    }
    covered = listed("inspector2", "list_coverage", "coveredResources", filterCriteria=criteria)
    counts = [it["resourceMetadata"]["ecrImage"]["inUseCount"] for it in covered]
    assert counts == [1, 2, 3], covered


def test_a_registry_keeps_its_rules():
    ecr = ecr_client()
    rules = [{
        "destinations": [{"region": "us-east-1", "registryId": "123456789012"}],
        "repositoryFilters": [{"filter": "team/", "filterType": "PREFIX_MATCH"}],
    }]
    ecr.put_replication_configuration(replicationConfiguration={"rules": rules})
    registry = ecr.describe_registry()
    assert registry["registryId"] == "123456789012"
    assert registry["replicationConfiguration"]["rules"] == rules, registry
    for prefix in ["docker-hub", "quay"]:
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl="registry.example.com")
    caches = listed("ecr", "describe_pull_through_cache_rules", "pullThroughCacheRules", maxResults=1)
    assert [rule["ecrRepositoryPrefix"] for rule in caches] == ["docker-hub", "quay"]


def test_signatures_and_scopes_are_checked():
    for service, call in [
        ("ecs", "list_clusters"), ("events", "list_event_buses"), ("scheduler", "list_schedules"),
        ("lambda", "list_functions"), ("inspector2", "list_coverage"),
    ]:
        wrong = client(service, aws_secret_access_key="wrong", aws_access_key_id="AKIASANDBOX000000000")
        code = refused(getattr(wrong, call))
        assert code == "InvalidSignatureException", (service, code)


if __name__ == "__main__":
    main(globals())
