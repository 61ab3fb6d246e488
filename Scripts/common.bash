# What the scripts share. Sourced, never run: `source "$(dirname "$0")/common.bash"`; leaves the caller at the
# checkout's root. Works with the bash 3.2 of macOS.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
shopt -s inherit_errexit 2>/dev/null || true    # bash 3.2 lacks it
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON_FOLDER=.build-python    # the virtual environment of the tools that come from PyPI
SOCKETIO_CLIENT=$PYTHON_FOLDER/socket.io.min.js
PROXIES_FOLDER=.build-proxies  # nginx and HAProxy, where they are not installed
NODE_FOLDER=.build-node        # node-ws, where it cannot be installed beside a foreign Node.js
BENCH_FOLDER=.build-bench      # what the benchmarks build and download
RIG_FOLDER=../shared/rig       # optional tools beside the checkout
SKIPPED=${SKIP_STATUS:-0}      # the exit status of a check that this machine cannot run

say() { printf '%s\n' "$@"; }    # each argument on a line of its own
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# skip WHY: ends the script with one clear line.
skip() {
    say "${0##*/}: skipped: $*"
    exit "$SKIPPED"
}

# usage: prints the comment at the head of the calling script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# Where Node.js finds node-ws.
node_path() { say "$PWD/$NODE_FOLDER/usr/share/nodejs:/usr/share/nodejs"; }

swift_version() { swift --version 2>/dev/null | sed -n 's/.*Swift version \([^ ]*\).*/\1/p' | head -n 1; }

# The clang of the Swift toolchain, which has every sanitizer's runtime; else the one on the PATH.
toolchain_clang() {
    local clang
    clang=$(dirname "$(command -v swift)")/clang
    if [ -x "$clang" ]; then say "$clang"; else say clang; fi
}

# build_release PRODUCT...: builds executables as they are shipped; quick where nothing changed.
build_release() {
    local product
    for product in "$@"; do
        say "building $product (release)"
        swift build -c release --product "$product"
    done
}

# build_load: builds the load generator, $BENCH_FOLDER/load/release/apus-load.
build_load() {
    say "building apus-load"
    swift build -c release --package-path Benchmarks/Load --scratch-path "$BENCH_FOLDER/load" --product apus-load \
        >"$BENCH_FOLDER/load.log" 2>&1 || die "apus-load does not build: see $BENCH_FOLDER/load.log"
}

# make_certificate CERTIFICATE KEY: writes a certificate for 127.0.0.1 that signs itself, unless it is there.
make_certificate() {
    [ ! -f "$1" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=127.0.0.1 \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$2" -out "$1" 2>/dev/null
}

# start_server COMMAND...: starts a server that prints `listening on PORT` or its address, `http://HOST:PORT`; sets
# SERVER_PID and SERVER_PORT. What it logs goes to SERVER_LOG.
SERVER_LOG=/dev/stderr
start_server() {
    local folder line ready='(listening on |https?://[^ ]*:)([0-9]+)'
    folder=$(mktemp -d)
    mkfifo "$folder/out"
    "$@" >"$folder/out" 2>>"$SERVER_LOG" &
    SERVER_PID=$!
    trap stop_server EXIT
    exec 9<"$folder/out"
    rm -r "$folder"
    while IFS= read -r -t 120 line <&9; do
        if [[ $line =~ $ready ]]; then
            SERVER_PORT=${BASH_REMATCH[2]}
            return
        fi
    done
    die "$1 did not say where it listens (its log: $SERVER_LOG)"
}

# stop_server: ends it as an operator would, and returns its exit status.
stop_server() {
    local pid=${SERVER_PID:-}
    SERVER_PID=
    trap - EXIT
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid"
}

# machine: says on what, with what and for which commit a measurement was made.
machine() {
    local processor
    processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
    say "commit     $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- || printf ' with changes')"
    say "processor  ${processor:-$(uname -m)}, $(getconf _NPROCESSORS_ONLN) cores"
    say "system     $(uname -sr)"
    say "swift      $(swift_version)"
}

# part NAME COMMAND...: runs one part of a larger check and keeps its outcome for `summary`.
PARTS=() FAILED_PARTS=0
part() {
    local name=$1 start=$SECONDS status=0 outcome
    shift
    say "" "==> $name"
    SKIP_STATUS=77 "$@" || status=$?
    case $status in
    0) outcome=passed ;;
    77) outcome=skipped ;;
    *) outcome="FAILED ($status)" FAILED_PARTS=$((FAILED_PARTS + 1)) ;;
    esac
    local took=$((SECONDS - start))
    PARTS+=("$(printf '%-14s %-12s %5d s  (%d.%d min)' "$name" "$outcome" $took $((took / 60)) $((took % 60 / 6)))")
    say "==> $name: $outcome"
}

# summary TITLE: lists the parts; its status is that of the whole.
summary() {
    say "" "$1:"
    printf '  %s\n' "${PARTS[@]}"
    if [ "$FAILED_PARTS" -gt 0 ]; then
        say "$1: $FAILED_PARTS of ${#PARTS[@]} parts FAILED"
        return 1
    fi
    say "$1: passed"
}
