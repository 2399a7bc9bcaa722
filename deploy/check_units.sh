#!/bin/sh
# Checks every unit in systemd/ without a running systemd: its syntax, and that its exposure is at most 2.0.
# The program is not installed where the unit expects it, so a copy names this checkout's command instead.
set -eu
folder=$(cd "$(dirname "$0")/.." && pwd)
copies=$(mktemp -d)
trap 'rm -rf "$copies"' EXIT
for unit in "$folder"/systemd/*.service; do
    copy="$copies/$(basename "$unit")"
    sed "s#/opt/lotgate/bin/lotgate#$folder/.venv/bin/lotgate#" "$unit" >"$copy"
    systemd-analyze verify --man=no --recursive-errors=no "$copy"
    systemd-analyze security --offline=true --threshold=20 --no-pager "$copy" >"$copies/exposure" || {
        cat "$copies/exposure" >&2
        exit 1
    }
    tail -n 1 "$copies/exposure"
done
