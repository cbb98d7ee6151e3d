"""The commands of deploy/azure/README.md, parsed by Azure's own command line.

Run as it is, it runs the guide's commands by bash, where `az` is this script again: with words it loads az's command table, parses and
validates them, and answers what Azure would, through az's own --query and --output. Nothing is sent.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = "deploy/azure/README.md"
SOME = "11111111-1111-1111-1111-111111111111"
# What the guide asks of answers.
ANSWERS = {
    "identity show": {"id": "/subscriptions/" + SOME + "/resourceGroups/rg-mlfence/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mlfence", "clientId": SOME, "principalId": "22222222-2222-2222-2222-222222222222"},
    "aks show": {"oidcIssuerProfile": {"issuerUrl": "https://westeurope.oic.prod-aks.azure.com/some/"}},
    "acr show": {"loginServer": "contosoregistry.azurecr.io"},
    "acr repository show": {"digest": "sha256:" + "ef" * 32},
}


def az(words):
    """As `az` would, but for the command itself."""
    from azure.cli.core import get_default_cli
    from azure.cli.core.commands import AzCliCommandInvoker

    def told(_, parsed, __):
        command = parsed.command
        for name, value in vars(parsed).items():
            if name == "role_definition":
                role = json.loads(Path(str(value).removeprefix("@")).read_text()) if str(value).startswith("@") else json.loads(value)
                (scope,) = role["AssignableScopes"]
                assert role["IsCustom"] and role["Actions"] and "<" not in scope, role
        with open(os.environ["AZ_LOG"], "a") as log:
            log.write(command + "\n")
        return ANSWERS.get(command, {"id": "/some"})

    AzCliCommandInvoker._run_job = told
    return get_default_cli().invoke(words)


def main():
    sys.path.insert(0, str(ROOT / "tests/deploy"))
    import guide

    names = guide.names(GUIDE)
    commands = "\n".join(guide.block(GUIDE, name) for name in names)
    # What the next guide needs must be set by this one.
    commands += '\nprintf "%s\\n" "$REPOSITORY" "$DIGEST" "$CLIENT_ID" "$GROUP"\n'
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "log"
        # Some commands look who is signed in before they ask anything.
        somebody = {"id": SOME, "name": "some", "state": "Enabled", "isDefault": True, "tenantId": SOME, "environmentName": "AzureCloud",
                    "user": {"name": "somebody@example.com", "type": "user"}}
        (Path(home) / "azureProfile.json").write_text(json.dumps({"subscriptions": [somebody]}))
        stand_in = f'#!/bin/bash\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n'
        git = '#!/bin/bash\n[ "$*" = "rev-parse HEAD" ] && echo 0123456789abcdef0123456789abcdef01234567\n'
        environment = {"AZURE_CONFIG_DIR": home, "AZURE_CORE_COLLECT_TELEMETRY": "no", "AZURE_CORE_NO_COLOR": "1", "AZ_LOG": str(log)}
        out, files = guide.run(commands, {"az": stand_in, "git": git}, environment)
        parsed = log.read_text().splitlines()
    wanted = sum(line.count("az ") for line in commands.splitlines())
    if len(parsed) != wanted:
        raise SystemExit(f"{wanted} commands, of which az took {len(parsed)}: {parsed}")
    last = out.splitlines()[-4:]
    if last != ["contosoregistry.azurecr.io/mlfence", "sha256:" + "ef" * 32, SOME, "ml-platform"]:
        raise SystemExit(f"the guide's answers: {last}")
    if json.loads(files["mlfence-reader.json"])["AssignableScopes"] != ["/providers/Microsoft.Management/managementGroups/ml-platform"]:
        raise SystemExit("the role's scope")
    print(f"az takes the {len(parsed)} commands of {GUIDE}: {', '.join(sorted(set(parsed)))}")


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(az(sys.argv[1:]))
    main()
