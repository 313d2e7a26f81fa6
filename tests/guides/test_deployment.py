"""What the guide to deployment and docker/ tell the reader to type is tested, or at least what our programs take."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from flwr.superlink.cli.flower_superlink import _parse_args_run_superlink as superlink_parser
from flwr.supernode.cli.flower_supernode import _parse_args_run_supernode as supernode_parser

from fedmezo import config, node
from fedmezo.main import parser as server_parser
from tests.certificates import make_certificates
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "guides" / "deployment.md").read_text(encoding="utf-8")
SCRIPT = (REPOSITORY / "scripts" / "federation_on_loopback.sh").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
NODES = [f"node{client}" for client in range(3)]
IN_IMAGE = ("/srv/state", "/srv/runs", "/srv/cache")


def commands(shell: str) -> list[str]:
    """Return the lines of a shell script, continued ones as one, spaces as one, what goes to a log not told."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in shell.replace("\\\n", " ").splitlines())
    return [re.sub(r' >"\$FOLDER/\w+\.log" 2>&1 &$', "", line) for line in lines if line and not line.startswith("#")]


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_command_of_the_page_is_the_scripts() -> None:
    typed = [line for block in blocks("bash") for line in commands(block)]
    ours, run = {line for line in typed if line.startswith(("pip ", "HOST="))}, set(commands(SCRIPT))
    assert len(ours) == 2 and len(typed) > 15
    assert [line for line in typed if line not in ours | run] == []


def test_the_script_has_no_step_that_the_page_lacks() -> None:
    typed = {line for block in blocks("bash") for line in commands(block)}
    programs = ("python ", "flwr ", "flower-superlink ", "fedmezo-node ", "printf ")
    assert [line for line in commands(SCRIPT) if line.startswith(programs) and line not in typed] == []


def test_the_extras_of_the_page_and_of_the_image_exist() -> None:
    declared = set(re.findall(r'^        "([\w-]+)": ', (REPOSITORY / "setup.py").read_text(encoding="utf-8"), re.M))
    dockerfile = (REPOSITORY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    found = re.findall(r"pip install .*?\.\[([\w,-]+)\]", PAGE + dockerfile, flags=re.DOTALL)
    assert [each.split(",") for each in found] == [["llm", "flower"]] * 2
    assert {"llm", "flower"} <= declared


def test_the_service_starts_a_node() -> None:
    (unit,) = (block for block in blocks("ini") if "[Service]" in block)
    entries = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line)
    program, *arguments = shlex.split(entries["ExecStart"])
    options = node.parser().parse_intermixed_args(arguments)
    assert Path(program).name == "fedmezo-node" and options.key is not None and options.root_certificates is not None
    assert entries["Restart"] == "always"


def test_flowers_own_node_takes_what_the_page_says() -> None:
    (block,) = (block for block in blocks("text") if block.startswith("flower-supernode"))
    options = supernode_parser().parse_args(shlex.split(block.replace("\\\n", " "))[1:])
    assert options.node_config == 'cfg="/srv/fedmezo/federation.yaml" partition-id=0 own-data=false'


def test_the_yaml_of_data_of_its_own_is_one(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    (tmp_path / "node.yaml").write_text(block, encoding="utf-8")
    assert config.load(tmp_path / "node.yaml").data.fields.instruction == "question"


def test_the_compose_file_has_a_superlink_a_server_and_three_nodes() -> None:
    assert SERVICES.keys() == {"superlink", "register", "server", *NODES}
    for name, service in SERVICES.items():
        assert service["image"] == "fedmezo", name
        assert (REPOSITORY / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert "ports" not in service and "privileged" not in service, name
        for other, condition in service.get("depends_on", {}).items():
            ends = other == "register"
            assert condition["condition"] == ("service_completed_successfully" if ends else "service_healthy")
            assert ends or "healthcheck" in SERVICES[other]
    assert [SERVICES[name].get("restart") for name in (*NODES, "superlink", "server")] == ["always"] * 4 + [None]


def test_every_service_has_the_files_that_its_command_names_and_no_others() -> None:
    """A node gets its own key; nobody gets the authority's."""
    declared, used = set(COMPOSE["volumes"]), set()
    for name, service in SERVICES.items():
        command = " ".join(service["command"]).replace("$$node", "{0}")
        named = set(re.findall(r"/etc/federation/[\w.{}]+", command))
        if name == "register":
            named = {each.format(client) for each in named for client in range(3)}
        mounted = set()
        for volume in service["volumes"]:
            source, target, *mode = volume.split(":")
            if source.startswith("./certificates/"):
                assert mode == ["ro"] and Path(source).name == Path(target).name
                mounted.add(target)
            else:
                assert target in IN_IMAGE
                used.add(source)
        assert mounted == named, name
    assert used == declared
    dockerfile = (REPOSITORY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    assert f"chmod 1777 {' '.join(IN_IMAGE)}" in dockerfile


@pytest.mark.parametrize("client", range(3))
def test_the_compose_files_nodes_are_ours(client: int) -> None:
    program, *arguments = SERVICES[f"node{client}"]["command"]
    options = node.parser().parse_intermixed_args(arguments)
    assert (program, options.client, options.superlink) == ("fedmezo-node", client, "superlink:9443")
    assert options.key == Path(f"/etc/federation/node{client}")
    assert config.load(REPOSITORY / options.cfg).federate.client_num == 3


def test_the_compose_files_server_and_superlink_take_their_commands(tmp_path: Path) -> None:
    certificates = tmp_path / "federation"
    assert make_certificates(str(certificates), "--nodes", "3", "--host", "superlink") == 0
    words = [word.replace("/etc/federation", str(certificates)) for word in SERVICES["server"]["command"]]
    assert words[:3] == ["python", "-m", "fedmezo.main"]
    options = server_parser().parse_intermixed_args(words[3:])
    cfg = config.load(REPOSITORY / options.cfg, options.overrides)
    assert cfg.engine.type == "flower" and cfg.engine.superlink == "superlink:9443" and len(cfg.engine["keys"]) == 3
    program, *arguments = SERVICES["superlink"]["command"]
    link = superlink_parser().parse_args(arguments)
    assert program == "flower-superlink" and (link.isolation, link.port) == ("process", 9443)
    assert link.enable_supernode_auth and link.superexec_auth_secret_file and not link.insecure
    assert link.database == "/srv/state/state.db"
