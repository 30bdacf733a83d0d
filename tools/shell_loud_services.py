"""Harm beyond this machine's files: clouds, clusters, containers, databases, package registries."""

import itertools
import re
from collections.abc import Callable

from .shell_commands import Simple, has_option, is_unknown, names_in
from .shell_targets import Targets

_CLOUD = names_in(
    "terraform tofu terragrunt pulumi cdk cdktf serverless sls sam kubectl oc helm aws gcloud gsutil bq az"
    " doctl heroku fly flyctl vercel netlify firebase wrangler gh glab linode-cli hcloud ibmcloud oci scw"
    " eksctl kops argocd nomad vault consul supabase railway render neonctl pscale turso openstack rclone"
    " s3cmd mc gcutil eb copilot amplify ansible"
)
_CLOUD_HARM = re.compile(
    r"(?:\w+[:-])?(?:delete|destroy|terminate|purge|remove|drop|uninstall|rm|rb|drain|wipe|nuke|prune|evict|deprovision)"
    r"(?:[:-]\w.*)?|--delete|pg:reset|db:reset|reset|taint|state-rm|archive|--force-with-delete|destroy-all|del|undeploy|--prune",
    re.IGNORECASE,
)
_PUBLISH: dict[str, frozenset[str]] = {
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun"), frozenset({"publish", "unpublish", "deprecate"})),
    "goreleaser": frozenset({"release"}),
    "cargo": frozenset({"publish", "yank", "owner"}),
    "gem": frozenset({"push", "yank"}),
    "twine": frozenset({"upload"}),
    **dict.fromkeys(("poetry", "uv", "hatch", "flit", "pdm", "rye", "lerna", "changeset"), frozenset({"publish"})),
    **dict.fromkeys(("docker", "podman", "buildah", "helm"), frozenset({"push"})),
    **dict.fromkeys(("mvn", "mvnw"), frozenset({"deploy", "release:perform"})),
    **dict.fromkeys(("gradle", "gradlew"), frozenset({"publish", "publishPlugins"})),
    **dict.fromkeys(("nuget", "dotnet"), frozenset({"push"})),
    **dict.fromkeys(("vsce", "ovsx"), frozenset({"publish", "unpublish"})),
}
_SQL = re.compile(
    r"\b(?:drop\s+(?:database|table|schema|user|role|owned|view|index)|truncate\s+\w|delete\s+from\s+[\w.\"`]+\s*(?:;|$)|"
    r"flushall|flushdb|dropdatabase|\.drop\(|deletemany\(\s*\{\s*\}|\.remove\(\s*\{\s*\}|alter\s+user|"
    r"copy\s+.*\bto\s+program|into\s+outfile)|update\s+\w+\s+set\s+(?!.*where)",
    re.IGNORECASE,
)
_SQL_TOOLS = names_in(
    "psql mysql mariadb sqlite3 sqlite mongo mongosh redis-cli valkey-cli cqlsh sqlcmd clickhouse-client"
    " duckdb bq pgcli mycli cockroach influx"
)
_FRAMEWORK_HARM = re.compile(
    r"flush|reset_db|sqlflush|db:(?:drop|reset|wipe|purge|schema:load|migrate:reset)|migrate:(?:fresh|reset|refresh)|drop_all|"
    r"ecto\.(?:drop|reset)|doctrine:(?:database|schema):drop|database:drop|--force-reset|--accept-data-loss|db:migrate:undo:all|db:drop:\w+|schema:drop"
)


def harms_service(simple: Simple, base: str) -> str:
    """Why a command of this name would destroy or publish something that others use; "" when it would not."""
    texts = simple.texts()
    if base in _CLOUD and any(_CLOUD_HARM.fullmatch(text) for text in texts):
        return "destroys something that others may use"
    if base in _PUBLISH and _PUBLISH[base] & set(texts[:4]) and "--dry-run" not in texts:
        return "publishes"
    if base in _SQL_TOOLS and _drops(simple):
        return "destroys data"
    steps = {" ".join(pair) for pair in itertools.pairwise(texts)}
    if steps & {
        "migrate reset",
        "db drop",
        "database drop",
        "schema drop",
        "downgrade base",
        "db wipe",
        "migrate:rollback --all",
    }:
        return "resets a database"
    printing = base in ("echo", "printf", "grep", "rg", "git")
    return "resets a database" if not printing and any(_FRAMEWORK_HARM.fullmatch(text) for text in texts) else ""


def _drops(simple: Simple) -> bool:
    texts = [*simple.texts(), simple.text.known if simple.text is not None else ""]
    texts += [text for inner in simple.inner for text in inner.texts()]
    texts += [text for feed in simple.feeds for text in feed.texts()]
    return any(_SQL.search(text) for text in texts)


def _docker(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    pairs = [" ".join(texts[at : at + 2]) for at in range(len(texts))]
    if "prune" in texts or any(
        pair in ("volume rm", "network rm", "swarm leave", "context rm", "stack rm", "service rm") for pair in pairs
    ):
        return "removes containers, images or volumes"
    if {"rm", "rmi", "kill"} & set(texts[:2]) and (
        has_option(simple, "fv", "--force", "--volumes") and any(map(is_unknown, simple.arguments))
    ):
        return "removes containers or images"
    if "down" in texts and has_option(simple, "v", "--volumes", "--rmi"):
        return "removes volumes"
    opened = any(re.match(r"(?:--volume=|-v)?(?:/|~|\$HOME|/var/run/docker\.sock|/etc|/root):", text) for text in texts)
    mounts = any(re.search(r"(?:source|src)=/(?:,|$|etc|root|var/run/docker)", text) for text in texts)
    opened = opened or any(
        re.match(r"(?:/etc|/root|/var/run/docker\.sock|/home/[^:]*)\b[^:]*:", text) for text in texts
    )
    if (
        opened
        or mounts
        or "--privileged" in texts
        or any(text in ("--pid=host", "--cap-add=ALL", "--cap-add=SYS_ADMIN") for text in texts)
    ):
        return "gives a container this machine"
    return ""


def _terraform(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    if (
        "destroy" in texts
        or any(re.fullmatch(r"-?-(?:auto-approve|destroy|yes|force)", text) for text in texts)
        or ("state" in texts and {"rm", "push"} & set(texts))
    ):
        return "changes or destroys live infrastructure"
    return ""


def _kubectl(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    if (
        ("scale" in texts and any(text in ("--replicas=0", "0") for text in texts))
        or ("replace" in texts and "--force" in texts)
        or {"cordon", "drain"} & set(texts)
    ):
        return "takes something down that others may use"
    return ""


def _gh(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    if "api" in texts and any(re.fullmatch(r"(?:-X|--method=?)?(?:DELETE)", text) for text in texts):
        return "deletes something on a server"
    if texts[:2] == ["repo", "edit"] or (texts[:1] == ["gist"] and "create" in texts):
        return "publishes"
    return ""


def _http(simple: Simple, _targets: Targets) -> str:
    texts = simple.texts()
    return (
        "deletes something on a server"
        if any(re.fullmatch(r"(?:-X|--request=|--method=)?DELETE", t) for t in texts)
        else ""
    )


def _redis(simple: Simple, _targets: Targets) -> str:
    return "destroys data" if {text.lower() for text in simple.texts()} & {"flushall", "flushdb", "shutdown"} else ""


def _mysqladmin(simple: Simple, _targets: Targets) -> str:
    return "drops a database" if "drop" in simple.texts() else ""


SERVICE_CHECKS: dict[str, Callable[[Simple, Targets], str]] = {
    **dict.fromkeys(("docker", "podman", "docker-compose", "nerdctl"), _docker),
    **dict.fromkeys(("terraform", "tofu", "terragrunt", "pulumi", "cdk"), _terraform),
    **dict.fromkeys(("kubectl", "oc"), _kubectl),
    "gh": _gh,
    **dict.fromkeys(("curl", "http", "https", "xh", "wget"), _http),
    "redis-cli": _redis,
    "mysqladmin": _mysqladmin,
}
"""Why a command of this name would do harm elsewhere; "" when it would not."""
