"""The faults, by name, each with what is to become of its run."""

import time
from collections.abc import Callable

from fedmezo.federation.validation import FAILED, LATE, NOT_FINITE
from scripts.faults.scene import CLIENTS, HIT, VICTIM, Scene

# on a busy machine a round of thirty steps takes 5 s: healthy clients must not be late
DROP = ("federate.on_failure", "drop", "engine.timeout", "20", "engine.wait", "4")


def _without_victim(scene: Scene, reasons: tuple[str, ...] = (LATE,), until: int | None = None) -> None:
    """Make sure that the victim, and nobody else, was left out from the hit on, and again took part after ``until``."""
    found = scene.left_out()
    assert {client for _, client, _ in found} == {VICTIM}, found
    assert {reason for _, _, reason in found} <= set(reasons), found
    rounds = [round_index for round_index, _, _ in found]
    assert rounds == list(range(HIT, HIT + len(rounds))), found
    last = len(scene.rounds())
    assert (rounds[-1] == last - 1) if until is None else until <= rounds[-1] < last - 1, found


def node_killed(scene: Scene) -> None:
    """A node is killed in the middle of a round; the others go on."""
    scene.begin(*DROP)
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.wait_for_end()
    _without_victim(scene)


def _node_returns(scene: Scene, *common: str) -> None:
    scene.common += common
    scene.begin(*DROP, "federate.total_round_num", "26")
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.wait_for_rounds(HIT + 2)
    scene.start_node()
    scene.wait_for_end()
    _without_victim(scene, until=HIT + 1)


def node_back(scene: Scene) -> None:
    """A node is killed, and started again after two rounds; the log of all rounds brings it up to date."""
    _node_returns(scene)


def node_back_parameters(scene: Scene) -> None:
    """The same where the parameters are less than the log."""
    small = "[{adapter_package: peft, adapter_method: lora, r: 1}]"
    _node_returns(scene, "train.local_update_steps", "30", "llm.adapter.args", small)


def node_back_weights(scene: Scene) -> None:
    """The same where clients send weights, and are sent the parameters."""
    _node_returns(scene, "federate.transport", "weights")


def client_raises_drop(scene: Scene) -> None:
    """A client raises in one round, which goes on without it."""
    scene.begin_deployment()
    scene.demand("raise")
    scene.begin_run(*DROP)
    scene.wait_for_end()
    assert scene.left_out() == [(HIT, VICTIM, FAILED)], scene.left_out()


def client_raises_retry(scene: Scene) -> None:
    """A client raises once, and is asked again."""
    scene.begin_deployment()
    scene.demand("raise")
    scene.begin_run("federate.retries", "1")
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()
    assert "tried again (1 of 1)" in scene.deployment.log("server")


def client_raises_fail(scene: Scene) -> None:
    """A client raises, which ends the run with a message; it goes on once the cause is mended."""
    scene.begin_deployment()
    scene.demand("raise", times="")
    scene.begin_run()
    scene.wait_for_end(5)
    said = scene.deployment.log("server")
    messages = [line for line in said.splitlines() if f"round {HIT}, client {VICTIM}" in line]
    assert len(messages) == 1 and messages[0].startswith("fedmezo: "), said[-2000:]
    scene.notes.append(messages[0])
    assert len(scene.rounds()) == HIT, len(scene.rounds())
    (scene.demands / f"raise-{VICTIM}-{HIT}").unlink()
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def nan(scene: Scene) -> None:
    """A node sends gradients that are no numbers."""
    scene.begin_deployment()
    scene.demand("nan")
    scene.begin_run()
    scene.wait_for_end()
    assert scene.left_out() == [(HIT, VICTIM, NOT_FINITE)], scene.left_out()


def superlink_killed(scene: Scene) -> None:
    """The SuperLink is killed in the middle of a round, and started again on its database."""
    scene.begin()
    scene.wait_for_hit()
    scene.deployment.kill("superlink")
    time.sleep(2.0)
    scene.deployment.superlink()
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def server_killed(scene: Scene) -> None:
    """The server is killed in the middle of a round, and resumed; the nodes live on."""
    scene.begin()
    scene.wait_for_hit()
    scene.deployment.kill("server")
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def all_killed(scene: Scene) -> None:
    """Everything is killed in the middle of a round, and started again."""
    scene.begin()
    scene.wait_for_hit()
    for name in list(scene.deployment.processes):
        scene.deployment.kill(name)
    scene.deployment.superlink()
    for client in range(CLIENTS):
        scene.start_node(client)
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()


def same_key(scene: Scene) -> None:
    """A node with a key is killed, and started again at once: the SuperLink takes it for alive, and refuses it."""
    scene.begin("engine.wait", "150")
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.start_node()
    scene.wait_for_end()
    assert not scene.left_out(), scene.left_out()
    assert "2004" in scene.deployment.log(f"node{VICTIM}"), "the SuperLink did not refuse the node"


def medley(scene: Scene) -> None:
    """A client raises, then a node is killed and waited for, then the server is killed and resumed: all in one run."""
    scene.begin_deployment()
    scene.demand("raise", round_index=2)
    scene.begin_run("federate.on_failure", "drop", "federate.total_round_num", "9")
    scene.wait_for_hit()
    scene.deployment.kill(f"node{VICTIM}")
    scene.start_node()
    scene.wait_for_rounds(HIT + 2)
    scene.deployment.kill("server")
    scene.deployment.resume(scene.run)
    scene.wait_for_end()
    assert scene.left_out() == [(2, VICTIM, FAILED)], scene.left_out()


Fault = Callable[[Scene], None]
FAULTS: dict[str, Fault] = {
    "node-killed": node_killed,
    "node-back": node_back,
    "node-back-parameters": node_back_parameters,
    "node-back-weights": node_back_weights,
    "client-raises-drop": client_raises_drop,
    "client-raises-retry": client_raises_retry,
    "client-raises-fail": client_raises_fail,
    "nan": nan,
    "superlink-killed": superlink_killed,
    "server-killed": server_killed,
    "all-killed": all_killed,
    "same-key": same_key,
    "medley": medley,
}
SECURE = ("same-key",)
