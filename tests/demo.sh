#!/usr/bin/env bash
# A believable company in a simulated Azure, and mlfence watching it. Everything is in a throw-away folder and on
# loopback; Ctrl-C ends both programs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=target/debug
work=$(mktemp -d)
pids=()
cleanup() {
  trap - EXIT INT TERM
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 0' INT TERM

"$bin/armsim" estate demo -o "$work/estate.jsonl" >/dev/null
: >"$work/armsim.env"
"$bin/armsim" serve "$work/estate.jsonl" --port "${ARMSIM_PORT:-0}" >"$work/armsim.env" 2>"$work/armsim.log" &
pids+=($!)
for _ in $(seq 100); do grep -q '^IDENTITY_HEADER=' "$work/armsim.env" && break; sleep 0.1; done
grep -q '^IDENTITY_HEADER=' "$work/armsim.env" || { cat "$work/armsim.log" >&2; exit 1; }
set -a; . "$work/armsim.env"; set +a

listen=127.0.0.1:${MLFENCE_PORT:-9464}
cat >"$work/mlfence.yaml" <<YAML
endpoints: { resource_manager: "$ARM_ENDPOINT", authority: "$ARM_ENDPOINT" }
credential: { type: managed_identity }
schedule: { interval: 30s }
http: { listen: "$listen" }
YAML
# What only the company's operator knows, as the simulator wrote it down.
cat "$work/estate.jsonl.expectations.yaml" >>"$work/mlfence.yaml"
"$bin/mlfence" serve --config "$work/mlfence.yaml" 2>"$work/mlfence.log" &
daemon=$!
pids+=("$daemon")
for _ in $(seq 150); do
  "$bin/mlfence" health --ready --config "$work/mlfence.yaml" >/dev/null 2>&1 && break
  kill -0 "$daemon" 2>/dev/null || break
  sleep 0.2
done
# Another daemon may answer where ours could not listen.
if ! kill -0 "$daemon" 2>/dev/null || ! "$bin/mlfence" health --ready --config "$work/mlfence.yaml" >/dev/null; then
  cat "$work/mlfence.log" >&2
  echo "the daemon did not start; if its port is taken, set MLFENCE_PORT" >&2
  exit 1
fi

"$bin/mlfence" audit --config "$work/mlfence.yaml" || true
cat <<TEXT

The daemon sweeps the simulated Azure every 30 seconds.
  open       http://$listen/          the page
             http://$listen/metrics   for Prometheus
  simulator  $ARM_ENDPOINT/_armsim/stats
  by hand    export IDENTITY_ENDPOINT=$IDENTITY_ENDPOINT IDENTITY_HEADER=$IDENTITY_HEADER
             $bin/mlfence audit --config $work/mlfence.yaml --format json
Ctrl-C ends it.
TEXT
wait -n "${pids[@]}" || true
echo "one of the programs ended:" >&2
tail -n 5 "$work/mlfence.log" "$work/armsim.log" >&2
exit 1
