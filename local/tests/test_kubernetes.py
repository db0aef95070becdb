"""The manifests as kustomize renders them, against Kubernetes' own schemas and our rules.

No cluster runs here. Rendering needs kubectl or kustomize; the schemas are those that the package
kubernetes-validate carries.
"""

import importlib
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.paths import ROOT

FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ("production", "demo")
VERSIONS = ("1.30", "1.34")
SINGLETONS = ("etims-beat", "etims-watchdog")
COMPONENT = "app.kubernetes.io/component"
Manifest = dict[str, Any]


def renderer() -> list[str]:
    """The command that renders a folder; it needs no cluster for that."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            probe = [*command, str(FOLDER / "base")]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return command
    return []


pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("kustomize", "kubectl"))), reason="no kustomize, no kubectl"
)


def render(overlay: str) -> list[Manifest]:
    done = subprocess.run(
        [*renderer(), str(FOLDER / overlay)], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return render(request.param)


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return render("production")


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Name and pod template of whatever makes pods."""
    for each in manifests:
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield each["metadata"]["name"], spec["template"]


def own_pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, pod in pods(manifests):
        if "etims-integration" in pod["spec"]["containers"][0]["image"]:
            yield name, pod


# --- Schemas ---


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(manifests, version):
    validate = pytest.importorskip("kubernetes_validate").validate

    for each in manifests:
        validate(each, version, strict=True)


def test_its_schemas_refuse_what_is_wrong(production):
    package = pytest.importorskip("kubernetes_validate")
    web = of_kind(production, "Deployment")["etims-web"]
    web = {**web, "spec": {**web["spec"], "replica": 2}}

    with pytest.raises(package.ValidationError):
        package.validate(web, VERSIONS[-1], strict=True)


# --- What a pod may do ---


def test_a_pod_may_do_little(manifests):
    for name, pod in pods(manifests):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["serviceAccountName"] == "etims", name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"], name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name
            # Whatever writes a temporary file must find a place.
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name


def test_ours_run_as_the_account_of_the_image(manifests):
    (user,) = re.findall(r"useradd .*--uid (\d+)", (ROOT / "Dockerfile").read_text())

    for name, pod in own_pods(manifests):
        assert pod["spec"]["securityContext"]["runAsUser"] == int(user), name


def test_whatever_runs_on_is_watched(manifests):
    for kind in ("Deployment", "StatefulSet"):
        for name, each in of_kind(manifests, kind).items():
            container = each["spec"]["template"]["spec"]["containers"][0]
            assert "livenessProbe" in container, name
            if "ports" in container:
                assert "readinessProbe" in container, name


def test_the_web_is_restarted_only_when_it_does_not_answer(production):
    web = of_kind(production, "Deployment")["etims-web"]["spec"]["template"]["spec"]["containers"][
        0
    ]

    path = {name: web[f"{name}Probe"]["exec"]["command"][-1] for name in ("liveness", "readiness")}
    # A dead database must not restart every web server.
    assert path == {"liveness": "/health/live/", "readiness": "/health/"}


# --- Coming and going ---


def test_there_is_one_beat_and_one_watchdog(manifests):
    found = of_kind(manifests, "Deployment")

    for name in SINGLETONS:
        assert found[name]["spec"]["replicas"] == 1
        assert found[name]["spec"]["strategy"] == {"type": "Recreate"}


def test_nobody_is_cut_off_while_he_waits(production):
    settings = runpy.run_path(str(ROOT / "deploy/gunicorn.conf.py"))
    spec = of_kind(production, "Deployment")["etims-web"]["spec"]["template"]["spec"]

    lingers = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert spec["terminationGracePeriodSeconds"] > lingers + settings["graceful_timeout"]


def test_a_new_version_comes_before_the_old_one_goes(production):
    for name in ("etims-web", "etims-worker"):
        spec = of_kind(production, "Deployment")[name]["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        # Applying again must not undo what the autoscaler did.
        assert "replicas" not in spec
        assert len(spec["template"]["spec"]["topologySpreadConstraints"]) == 2


def test_a_changed_setting_is_a_rollout(production):
    (name,) = of_kind(production, "ConfigMap")

    assert re.fullmatch(r"etims-settings-[a-z0-9]{10}", name)
    for _, pod in own_pods(production):
        assert pod["spec"]["containers"][0]["envFrom"][0] == {"configMapRef": {"name": name}}


def test_it_grows_by_the_age_of_what_is_due(production):
    worker = of_kind(production, "HorizontalPodAutoscaler")["etims-worker"]["spec"]
    external, cpu = worker["metrics"]
    exported = (ROOT / "monitoring/metrics/facts.py").read_text()
    streams = importlib.import_module("outbox.models").Stream.values

    metric = external["external"]["metric"]
    assert f'"{metric["name"]}"' in exported
    assert metric["selector"]["matchLabels"]["stream"] in streams
    assert cpu["resource"]["name"] == "cpu"


def test_the_adapter_asks_for_metrics_that_exist():
    (rule,) = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    exported = (ROOT / "monitoring/metrics/facts.py").read_text()

    for name in re.findall(r"etims_\w+", f"{rule['seriesQuery']} {rule['metricsQuery']}"):
        assert f'"{name}"' in exported


# --- What fits together ---


def test_every_selector_finds_its_pods(manifests):
    labels = [pod["metadata"]["labels"] for _, pod in pods(manifests)]
    selectors = [
        *(each["spec"]["selector"] for each in of_kind(manifests, "Service").values()),
        *(
            each["spec"]["selector"]["matchLabels"]
            for kind in ("Deployment", "StatefulSet", "PodDisruptionBudget")
            for each in of_kind(manifests, kind).values()
        ),
    ]

    for wanted in selectors:
        assert any(wanted.items() <= found.items() for found in labels), wanted
    for name, each in of_kind(manifests, "NetworkPolicy").items():
        for rule in each["spec"]["podSelector"].get("matchExpressions", []):
            found = {one[rule["key"]] for one in labels}
            assert set(rule["values"]) <= found, name


def test_nothing_goes_in_or_out_unless_it_is_said(manifests):
    policies = of_kind(manifests, "NetworkPolicy")

    deny = policies["etims-default-deny"]["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not deny.keys() & {"ingress", "egress"}
    # It covers all pods of ours: their common labels, and nothing narrower.
    assert COMPONENT not in deny["podSelector"].get("matchLabels", {})
    world = policies["etims-world"]["spec"]
    assert "169.254.0.0/16" in world["egress"][0]["to"][0]["ipBlock"]["except"]
    (who,) = world["podSelector"]["matchExpressions"]
    assert who["values"] == ["web", "worker", "watchdog"]


def test_it_ships_no_secret(manifests):
    assert of_kind(manifests, "Secret") == {}
    for each in yaml.safe_load_all((FOLDER / "secrets.example.yaml").read_text()):
        assert set(each["stringData"].values()) == {""}


def test_it_asks_only_for_secrets_that_are_explained(production):
    templates = yaml.safe_load_all((FOLDER / "secrets.example.yaml").read_text())
    known = {each["metadata"]["name"] for each in templates}

    asked = {
        source["secretRef"]["name"]
        for _, pod in own_pods(production)
        for source in pod["spec"]["containers"][0]["envFrom"]
        if "secretRef" in source
    }
    assert asked == known


def test_it_sets_only_what_is_read():
    read = (ROOT / "etims_integration/settings.py").read_text()
    # Gunicorn reads the last of them by itself.
    read += "".join(file.read_text() for file in (ROOT / "deploy").glob("*.*"))
    read += "FORWARDED_ALLOW_IPS"

    text = "".join(file.read_text() for file in FOLDER.glob("*/settings.env"))
    assert [name for name in re.findall(r"^(\w+)=", text, re.MULTILINE) if name not in read] == []


def test_it_starts_only_roles_that_exist(manifests):
    roles = re.findall(r"^    ([a-z-]+)\)$", (ROOT / "deploy/entrypoint.sh").read_text(), re.M)

    for name, pod in pods(manifests):
        container = pod["spec"]["containers"][0]
        if "etims-" in container["image"]:
            assert container["args"][0] in roles, name


# --- Upgrade ---

KUBECTL = """#!/bin/sh
case "$1" in kustomize) exec {kubectl} "$@" ;; esac
echo "$*" >>calls
case "$*" in *" wait "*) [ ! -e broken ] ;; esac
"""


def upgrade(folder: Path) -> tuple[int, list[str]]:
    command = " ".join(renderer()).removesuffix(" kustomize")
    if command.endswith("build"):
        pytest.skip("the script calls kubectl")
    real = shutil.which(command)
    program = folder / "kubectl"
    program.write_text(KUBECTL.format(kubectl=real))
    program.chmod(0o755)
    done = subprocess.run(
        [str(FOLDER / "upgrade.sh"), str(FOLDER / "production")],
        cwd=folder,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        check=False,
    )
    calls = (folder / "calls").read_text()
    return done.returncode, re.findall(r"^--namespace etims (.*)$", calls, re.MULTILINE)


def test_it_migrates_before_it_rolls_out(tmp_path):
    code, calls = upgrade(tmp_path)

    words = [call.split()[0] for call in calls]
    assert code == 0
    assert words == ["apply", "apply", "delete", "apply", "wait", "apply"] + ["rollout"] * 4
    assert f"-l {COMPONENT}=migrate" in calls[3]
    assert " -l " not in calls[5]


def test_it_rolls_nothing_out_when_migrations_fail(tmp_path):
    (tmp_path / "broken").touch()

    code, calls = upgrade(tmp_path)

    assert code == 1
    assert calls[-1].startswith("logs job/etims-migrate")
    assert all(" -l " in call for call in calls if call.startswith("apply"))
