#!/usr/bin/env bash
# One process for each of two sockets, on one or more hosts. Run on each host:
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=host0 ./torchrun.sh config.json
set -euo pipefail

config=${1:?usage: torchrun.sh config.json}

exec torchrun \
  --nnodes="${NNODES:-1}" \
  --node-rank="${NODE_RANK:-0}" \
  --nproc-per-node="${NPROC_PER_NODE:-2}" \
  --rdzv-backend=c10d \
  --rdzv-endpoint="${MASTER_ADDR:-127.0.0.1}:${MASTER_PORT:-29500}" \
  --rdzv-id="${RUN_ID:-adaptive-trainer}" \
  --max-restarts="${MAX_RESTARTS:-3}" \
  --no-python \
  npx adaptive-trainer train "$config"
