#!/usr/bin/env bash
# From nothing to a federation of three nodes on this machine, with TLS and node authentication (docs/guides/deployment.md).
#
#   bash scripts/federation_on_loopback.sh [FOLDER]
#
# From the repository's root, with the environment activated that has .[llm,flower]. FOLDER (default: a temporary one,
# removed at the end) gets certificates, logs, the SuperLink's database and the run. PORT: of the SuperLink (9443).
set -euo pipefail
cd "$(dirname "$0")/.."
HOST=localhost PORT=${PORT:-9443}
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    FOLDER=$(cd "$1" && pwd)
    temporary=
else
    FOLDER=$(mktemp -d)
    temporary=$FOLDER
fi

pids=()
finish() {
    for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
    if [ -n "$temporary" ]; then rm -rf "$temporary"; fi
}
trap finish EXIT

fail() { # message, log
    echo "federation_on_loopback: $1" >&2
    tail -n 20 "$2" >&2
    exit 1
}

until_true() { # what is waited for, log, pid, command: as long as the process lives, and for a minute at most
    local what=$1 log=$2 pid=$3
    shift 3
    for _ in $(seq 300); do
        if "$@"; then return; fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    fail "$what" "$log"
}

for program in fedmezo-node flower-superlink flwr; do
    command -v "$program" >/dev/null || fail "there is no $program: is the environment with .[llm,flower] active?" /dev/null
done

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; }
if listens; then fail "somebody listens at port $PORT already: set PORT" /dev/null; fi

echo "== certificates and keys"
CERTIFICATES=$FOLDER/certificates
python scripts/make_certificates.py "$CERTIFICATES" --nodes 3 --host "$HOST"

echo "== the SuperLink"
export FLWR_HOME=$FOLDER/flwr FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1
flower-superlink --host 127.0.0.1 --port "$PORT" \
    --ssl-ca-certfile "$CERTIFICATES/ca.crt" --ssl-certfile "$CERTIFICATES/server.pem" \
    --ssl-keyfile "$CERTIFICATES/server.key" --superexec-auth-secret-file "$CERTIFICATES/secret" \
    --enable-supernode-auth --isolation process --database "$FOLDER/state.db" \
    --disable-runtime-dependency-installation >"$FOLDER/superlink.log" 2>&1 &
superlink=$!
pids+=("$superlink")
until_true "the SuperLink does not start" "$FOLDER/superlink.log" "$superlink" listens

echo "== registering the nodes' keys"
mkdir -p "$FLWR_HOME"
printf '[superlink.federation]\naddress = "127.0.0.1:%s"\nroot-certificates = "%s"\n' \
    "$PORT" "$CERTIFICATES/ca.crt" >"$FLWR_HOME/config.toml"
flwr supernode register "$CERTIFICATES/node0.pub" federation
flwr supernode register "$CERTIFICATES/node1.pub" federation
flwr supernode register "$CERTIFICATES/node2.pub" federation
flwr supernode list federation

echo "== three nodes"
fedmezo-node --cfg configs/federation.yaml --client 0 --superlink "$HOST:$PORT" \
    --root-certificates "$CERTIFICATES/ca.crt" --key "$CERTIFICATES/node0" >"$FOLDER/node0.log" 2>&1 &
pids+=($!)
fedmezo-node --cfg configs/federation.yaml --client 1 --superlink "$HOST:$PORT" \
    --root-certificates "$CERTIFICATES/ca.crt" --key "$CERTIFICATES/node1" >"$FOLDER/node1.log" 2>&1 &
pids+=($!)
fedmezo-node --cfg configs/federation.yaml --client 2 --superlink "$HOST:$PORT" \
    --root-certificates "$CERTIFICATES/ca.crt" --key "$CERTIFICATES/node2" >"$FOLDER/node2.log" 2>&1 &
pids+=($!)

echo "== a run" # it waits for the nodes
python -m fedmezo.main --cfg configs/federation.yaml outdir "$FOLDER/runs" expname first \
    engine.type flower engine.superlink "127.0.0.1:$PORT" \
    engine.root_certificates "$CERTIFICATES/ca.crt" engine.secret "$CERTIFICATES/secret" \
    engine.keys "[$CERTIFICATES/node0.pub, $CERTIFICATES/node1.pub, $CERTIFICATES/node2.pub]"

echo "== two rounds more"
python -m fedmezo.main --resume "$FOLDER/runs/first" federate.total_round_num 6

echo "== its ledger"
python -m fedmezo.replay "$FOLDER/runs/first" --verify

echo "== stopping"
kill "${pids[@]:1}"
for node in 0 1 2; do
    wait "${pids[node + 1]}" || fail "node $node does not stop cleanly" "$FOLDER/node$node.log"
    echo "node $node: $(tail -n 1 "$FOLDER/node$node.log")"
done
kill "$superlink"
wait "$superlink" || [ $? = 143 ] || fail "the SuperLink does not stop cleanly" "$FOLDER/superlink.log"
pids=()
echo "done: three nodes, six rounds"
