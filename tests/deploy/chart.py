"""The Helm chart, rendered by helm with values as people set them; judged by Kubernetes' own schemas, by promtool, and by mlfence, which
reads each configuration that comes out.

    chart.py            checks, and that deploy/kubernetes/mlfence.yaml is what the chart renders
    chart.py --write    writes deploy/kubernetes/mlfence.yaml
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import guide

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/kubernetes/mlfence"
PLAIN = ROOT / "deploy/kubernetes/mlfence.yaml"
TOOLS = Path(sys.executable).parent
MLFENCE = Path(os.environ.get("MLFENCE", ROOT / "target/debug/mlfence"))
# The oldest that the chart claims, one between, the newest that the validator knows.
VERSIONS = ["1.25.0", "1.31.0", "1.37.0"]
# Of Prometheus Operator, whose schemas are not Kubernetes'.
FOREIGN = {"ServiceMonitor", "PrometheusRule"}

CLIENT, TENANT = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
MINIMAL = {"image": {"repository": "registry.example/mlfence"}, "azure": {"clientId": CLIENT}}
VARIANTS = {
    "minimal": MINIMAL,
    "everything": {
        "image": {"repository": "registry.example/mlfence", "digest": "sha256:" + "ab" * 32, "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "azure": {"clientId": CLIENT, "tenantId": TENANT},
        "config": {
            "cloud": "public",
            "http": {"listen": "[::]:9999"},
            "schedule": {"interval": "30m"},
            "scope": {"include": {"management_groups": ["ml-platform"]}},
            "collection": {"concurrency": 16},
            "expectations": {"default": {"callers": [], "control_plane": "private"}},
            "alertmanager": {"urls": ["http://alertmanager-operated.monitoring:9093"], "digest_above": 100},
            "waivers": {"longest": "100d"},
        },
        "waivers": [{"policy": "ACI-010", "scope": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ml", "reason": "moves", "owner": "somebody", "expires": "SOON"}],
        "persistence": {"size": "2Gi", "storageClassName": "managed-csi", "annotations": {"helm.sh/resource-policy": "keep"}, "retention": "30d", "confirmations": {"open": 2, "resolve": 2}},
        "serviceAccount": {"name": "watcher", "annotations": {"team": "ml"}},
        "service": {"annotations": {"team": "ml"}},
        "networkPolicy": {"azureCIDRs": ["10.0.0.0/8"], "extraIngress": [{"from": [{"podSelector": {}}]}], "extraEgress": [{"ports": [{"port": 8443, "protocol": "TCP"}]}]},
        "serviceMonitor": {"enabled": True, "labels": {"release": "kube-prometheus-stack"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "kube-prometheus-stack"}},
        "dashboards": {"enabled": True, "annotations": {"grafana_folder": "Azure"}},
        "log": {"format": "human", "filter": "mlfence=debug"},
        "podAnnotations": {"team": "ml"},
        "podLabels": {"team": "ml"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]}}},
        "priorityClassName": "system-cluster-critical",
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        "extraVolumes": [{"name": "policies", "configMap": {"name": "policies"}}],
        "extraVolumeMounts": [{"name": "policies", "mountPath": "/etc/mlfence-policies"}],
    },
    "page and API, with TLS and a listener for metrics": MINIMAL | {
        "config": {"http": {
            "metrics": {"listen": "0.0.0.0:9465"},
            "tls": {"certificate": "/etc/mlfence-tls/tls.crt", "key": "/etc/mlfence-tls/tls.key"},
            "tokens": [{"name": "somebody", "sha256": "ab" * 32, "scopes": ["read"]}],
            "snapshot": True,
        }},
        "extraVolumes": [{"name": "tls", "secret": {"secretName": "mlfence-tls", "defaultMode": 0o440}}],
        "extraVolumeMounts": [{"name": "tls", "mountPath": "/etc/mlfence-tls", "readOnly": True}],
        "serviceMonitor": {"enabled": True, "tlsConfig": {"insecureSkipVerify": True}},
        "prometheusRule": {"enabled": True, "runbooks": "https://git.example/mlfence/"},
    },
    "in memory": MINIMAL | {"persistence": {"enabled": False}},
    "an existing claim": MINIMAL | {"persistence": {"existingClaim": "kept"}},
    "a client secret": {
        "image": {"repository": "registry.example/mlfence", "tag": "1.2.3"},
        "azure": {"credential": "client_secret", "clientId": CLIENT, "tenantId": TENANT, "existingSecret": "mlfence-azure", "existingSecretKey": "password"},
    },
    "the node's identity": {"image": MINIMAL["image"], "azure": {"credential": "managed_identity"}},
    "no network policy, an account of somebody else's": MINIMAL | {"networkPolicy": {"enabled": False}, "serviceAccount": {"create": False, "name": "theirs"}},
}
# What must be refused, and a word of the reason.
REFUSED = {
    "no image": ({"azure": {"clientId": CLIENT}}, "image.repository is needed"),
    "no client id": ({"image": MINIMAL["image"]}, "azure.clientId is needed"),
    "a key that does not exist": (MINIMAL | {"replicas": 2}, "replicas"),
    "a nested key that does not exist": (MINIMAL | {"persistence": {"enable": False}}, "enable"),
    "a credential for people": (MINIMAL | {"azure": {"credential": "azure_cli"}}, "azure.credential"),
    "a client id that is a name": (MINIMAL | {"azure": {"clientId": "mlfence"}}, "azure.clientId"),
    "a digest that is none": (MINIMAL | {"image": {"repository": "r/mlfence", "digest": "sha256:12"}}, "image.digest"),
    "a client secret without a Secret": (MINIMAL | {"azure": {"credential": "client_secret", "clientId": CLIENT, "tenantId": TENANT}}, "existingSecret"),
    "a secret in the configuration": (MINIMAL | {"config": {"credential": {"type": "client_secret"}}}, "config"),
    "a daemon that nobody reaches": (MINIMAL | {"config": {"http": {"listen": "127.0.0.1:9464"}}}, "listen"),
    "a listener for metrics that nobody reaches": (MINIMAL | {"config": {"http": {"metrics": {"listen": "127.0.0.1:9465"}}}}, "listen"),
    "a key of http that does not exist": (MINIMAL | {"config": {"http": {"token": []}}}, "token"),
    "a number as text": (MINIMAL | {"networkPolicy": {"alertmanager": {"port": "9093"}}}, "port"),
    "no account, and no name of one": (MINIMAL | {"serviceAccount": {"create": False}}, "serviceAccount.name is needed"),
}

checks = 0


def check(holds, message):
    global checks
    checks += 1
    if not holds:
        raise SystemExit(f"chart: {message}")


def helm(*words, values=None):
    """helm's exit code, what it printed, and what it said, without its word on every symbolic link."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        given = [] if values is None else ["--values", file.name]
        done = subprocess.run([TOOLS / "helm", *words, *given], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "found symbolic link in path" not in line]
    return done.returncode, done.stdout, "\n".join(said)


def template(values, *more):
    return helm("template", "mlfence", CHART, "--namespace", "mlfence", *more, values=values)


def one(documents, kind):
    found = [document for document in documents if document["kind"] == kind]
    check(len(found) == 1, f"{len(found)} times {kind}")
    return found[0]


def validate(name, documents, folder):
    """Kubernetes' schemas, strictly: a key that does not exist is an error."""
    known = [document for document in documents if document["kind"] not in FOREIGN]
    file = folder / "manifest.yaml"
    file.write_text(yaml.safe_dump_all(known))
    for version in VERSIONS:
        done = subprocess.run([TOOLS / "kubernetes-validate", "--strict", "-k", version, file], capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"{name} against Kubernetes {version}:\n{done.stdout}{done.stderr}")
    return len(known)


def configured(name, documents, folder):
    """mlfence takes the configuration with the waivers that it names, and the probes ask where it listens."""
    data = next(one["data"] for one in documents if one["kind"] == "ConfigMap" and "mlfence.yaml" in one["data"])
    for file, text in data.items():
        (folder / file).write_text(text)
    done = subprocess.run([MLFENCE, "config", "check", "--config", folder / "mlfence.yaml"], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{name}: mlfence config check:\n{done.stdout}{done.stderr}\n{data['mlfence.yaml']}")
    config = yaml.safe_load(data["mlfence.yaml"])
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    http = config["http"]
    listens = {"http": http["listen"]} | ({"metrics": http["metrics"]["listen"]} if http.get("metrics") else {})
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    check(ports == {port: int(at.rsplit(":", 1)[1]) for port, at in listens.items()}, f"{name}: the ports {ports} and {http}")
    service = one(documents, "Service")["spec"]
    check({port["name"]: port["targetPort"] for port in service["ports"]} == {port: port for port in ports}, f"{name}: the Service")
    # Who scrapes finds the metrics where the daemon serves them, and by its scheme.
    measured, scheme = ("metrics" if "metrics" in ports else "http"), ("https" if http.get("tls") else "http")
    for policy in (document for document in documents if document["kind"] == "NetworkPolicy"):
        check(policy["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": measured}], f"{name}: the NetworkPolicy")
    for monitor in (document for document in documents if document["kind"] == "ServiceMonitor"):
        endpoint = monitor["spec"]["endpoints"][0]
        check((endpoint["port"], endpoint["scheme"]) == (measured, scheme), f"{name}: the ServiceMonitor")
    check(service.get("publishNotReadyAddresses") is True, f"{name}: nobody sees a daemon before its first sweep")
    for probe, path in {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}.items():
        check(container[probe]["httpGet"] == {"path": path, "port": "http", "scheme": scheme.upper()}, f"{name}: {probe}")
    # Each file that the configuration names lies in something mounted.
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    for path in (config["ledger"]["path"], config["credential"].get("secret_file")):
        check(path in (None, "memory") or any(path.startswith(mount + "/") for mount in mounts), f"{name}: {path} is in none of {mounts}")
    volumes = [volume["name"] for volume in pod["volumes"]]
    check(sorted(volumes) == sorted(mount["name"] for mount in container["volumeMounts"]), f"{name}: volumes and mounts")
    return config


def hardened(name, documents):
    """What the Pod Security Standard `restricted` demands, and the rest of our word."""
    deployment = one(documents, "Deployment")["spec"]
    check((deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate"), f"{name}: more than one daemon")
    pod = deployment["template"]["spec"]
    check(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, f"{name}: the pod")
    check(pod["automountServiceAccountToken"] is False, f"{name}: Kubernetes' token is mounted")
    (container,) = pod["containers"]
    context = container["securityContext"]
    check(context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True, f"{name}: the container")
    check(context["capabilities"] == {"drop": ["ALL"]}, f"{name}: capabilities")
    labels = deployment["template"]["metadata"]["labels"]
    for document in documents:
        if document["kind"] in ("NetworkPolicy", "Service", "Deployment"):
            spec = document["spec"]
            selector = (spec.get("podSelector") or spec["selector"]) if "podSelector" in spec or "selector" in spec else {}
            selector = selector.get("matchLabels", selector)
            check(selector and selector.items() <= labels.items(), f"{name}: {document['kind']} selects {selector}")


def particular(rendered):
    """What single values are for."""
    minimal, everything = rendered["minimal"], rendered["everything"]
    kinds = sorted(document["kind"] for document in minimal)
    check(kinds == ["ConfigMap", "Deployment", "NetworkPolicy", "PersistentVolumeClaim", "Service", "ServiceAccount"], f"minimal: {kinds}")
    image = lambda documents: one(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    check(image(everything).endswith("/mlfence@sha256:" + "ab" * 32), "the digest")
    check(image(rendered["a client secret"]) == "registry.example/mlfence:1.2.3", "the tag")
    labels = lambda documents: one(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    check(labels(minimal)["azure.workload.identity/use"] == "true", "the webhook's label")
    check("azure.workload.identity/use" not in labels(rendered["a client secret"]), "the webhook's label, where it is not wanted")
    check(one(minimal, "ServiceAccount")["metadata"]["annotations"] == {"azure.workload.identity/client-id": CLIENT}, "the webhook's annotation")
    ports = lambda documents: sorted(str(port["port"]) for rule in one(documents, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"])
    check(ports(minimal) == ["443", "53", "53"], f"ways out: {ports(minimal)}")
    check(ports(everything) == ["443", "53", "53", "8443", "9093"], f"ways out: {ports(everything)}")
    check(ports(rendered["the node's identity"]) == ["443", "53", "53", "80"], "the way to the node's identity endpoint")
    for name in ("in memory", "an existing claim"):
        check(not any(document["kind"] == "PersistentVolumeClaim" for document in rendered[name]), f"{name}: a claim")
    monitor, service = one(everything, "ServiceMonitor"), one(everything, "Service")
    check(monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items(), "the ServiceMonitor selects another Service")
    check(service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "mlfence", "the job's name")
    scraped = monitor["spec"]["endpoints"][0]["port"]
    check(scraped in [port["name"] for port in service["spec"]["ports"]], "the ServiceMonitor's port")
    source = yaml.safe_load((ROOT / "deploy/prometheus/mlfence.rules.yaml").read_text())
    check(one(everything, "PrometheusRule")["spec"] == source, "the rules are not those of deploy/prometheus")
    boards = {}
    for document in everything:
        if "grafana_dashboard" in document["metadata"]["labels"]:
            # Kubernetes' limit of an object is 1 MiB.
            check(len(json.dumps(document)) < 1 << 20, "a dashboard is too large for a ConfigMap")
            boards |= {name: json.loads(text) for name, text in document["data"].items()}
    files = {path.name: json.loads(path.read_text()) for path in (ROOT / "deploy/grafana").glob("*.json")}
    check(files and boards == files, "the dashboards are not those of deploy/grafana")


def promtool(documents, folder):
    """The rules as Prometheus Operator hands them on."""
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(one(documents, "PrometheusRule")["spec"]))
    done = subprocess.run(["promtool", "check", "rules", "--lint-fatal", file], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"promtool: {done.stdout}{done.stderr}")


def plain():
    code, out, said = template(MINIMAL | {"azure": {"clientId": "00000000-0000-0000-0000-000000000000"}})
    check(code == 0, said)
    return """\
# What `helm template` makes of the chart beside, for those who don't use Helm; a test keeps it so. Set the image, the client id of the
# ServiceAccount and the configuration, then:
#
#   kubectl create namespace mlfence
#   kubectl apply -f mlfence.yaml
""" + out


# `helm upgrade` would ask a cluster; the same words render the chart.
HELM = """\
#!/bin/bash
words=()
for word in "$@"; do
  case $word in
    upgrade) words+=(template) ;;
    --install | --create-namespace | --wait) ;;
    *) words+=("$word") ;;
  esac
done
exec "$HELM" "${words[@]}"
"""
KUBECTL = """\
#!/bin/bash
[[ "$*" == "--namespace mlfence exec deployment/mlfence -- mlfence "* ]] || { echo "kubectl $*" >&2; exit 1; }
while [ "$1" != -- ]; do shift; done
# The words must be ones that mlfence knows.
exec "$MLFENCE" "${@:3:1}" --help >/dev/null
"""


def guided():
    """The guide's own command renders what it says."""
    told = {"REPOSITORY": "registry.example/mlfence", "DIGEST": "sha256:" + "cd" * 32, "CLIENT_ID": CLIENT, "GROUP": "ml-platform"}
    out, _ = guide.run(guide.block("deploy/kubernetes/README.md", "install"), {"helm": HELM, "kubectl": KUBECTL},
                       told | {"HELM": str(TOOLS / "helm"), "MLFENCE": str(MLFENCE)})
    documents = [document for document in yaml.safe_load_all(out) if document]
    check({document["metadata"]["namespace"] for document in documents} == {"mlfence"}, "the guide's namespace")
    account = one(documents, "ServiceAccount")["metadata"]
    check((account["namespace"], account["name"]) == ("mlfence", "mlfence"), "the federated credential names another account")
    check(account["annotations"]["azure.workload.identity/client-id"] == CLIENT, "the guide's client id")
    subject = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    check(subject in guide.block("deploy/azure/README.md", "federation"), f"the guide for Azure does not name {subject}")
    return documents


def main():
    if sys.argv[1:] == ["--write"]:
        PLAIN.write_text(plain())
        return
    version = subprocess.run([TOOLS / "helm", "version", "--short"], capture_output=True, text=True, check=True).stdout.strip()
    # A waiver that has ended, or reaches too far, would make the configuration invalid.
    VARIANTS["everything"]["waivers"][0]["expires"] = str(datetime.date.today() + datetime.timedelta(days=30))
    rendered, objects = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, values in VARIANTS.items():
            code, out, said = helm("lint", CHART, "--strict", values=values)
            check(code == 0, f"helm lint, {name}:\n{out}{said}")
            code, out, said = template(values)
            check((code, said) == (0, ""), f"helm template, {name}:\n{said}")
            rendered[name] = [document for document in yaml.safe_load_all(out) if document]
            objects += validate(name, rendered[name], folder)
            config = configured(name, rendered[name], folder)
            check(config["credential"]["type"] == values["azure"].get("credential", "workload_identity"), name)
            hardened(name, rendered[name])
        particular(rendered)
        documents = guided()
        objects += validate("the guide", documents, folder)
        configured("the guide", documents, folder)
        promtool(rendered["everything"], folder)
        for name, (values, reason) in REFUSED.items():
            code, _, said = template(values)
            check(code != 0, f"{name}: was rendered")
            check(reason in said, f"{name}: {said}")
        # Its links lead out of the chart; a package holds what they point at.
        code, _, said = helm("package", CHART, "--destination", folder)
        check(code == 0, said)
        code, out, said = helm("template", "mlfence", folder / "mlfence-0.1.0.tgz", "--namespace", "mlfence", values=VARIANTS["everything"])
        check([document for document in yaml.safe_load_all(out) if document] == rendered["everything"], f"the packaged chart: {said}")
        code, _, said = template(MINIMAL, "--kube-version", "1.24.0")
        check(code != 0 and "kubeVersion" in said, "an older Kubernetes")
        check(plain() == PLAIN.read_text(), f"{PLAIN} is not what the chart renders: chart.py --write")
        validate("the plain manifest", list(yaml.safe_load_all(PLAIN.read_text())), folder)
    print(f"chart: helm {version}: lint --strict and template of {len(VARIANTS)} sets of values, {len(REFUSED)} refused; "
          f"kubernetes-validate --strict of {objects} objects against {', '.join(VERSIONS)} ({' and '.join(sorted(FOREIGN))} are not "
          f"Kubernetes' own: only compared); promtool; mlfence config check; {checks} checks passed")


if __name__ == "__main__":
    main()
