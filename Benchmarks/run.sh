#!/usr/bin/env bash
# run.sh BUILD: the daemons of BUILD and, when it is installed, C libvirtd, each in namespaces of its own, measured in
# turns by the project's own load generator; prints a table of ratios beside the goals.
# BENCH_WITHOUT_C=1: ours only.
# BENCH_SECONDS (1): how long each load lasts. BENCH_DOMAINS (1000): definitions.
# BENCH_ROUNDS (5): turns; medians count.
set -euo pipefail
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
seconds=${BENCH_SECONDS:-1}
domains=${BENCH_DOMAINS:-1000}
rounds=${BENCH_ROUNDS:-5}
load=$build/rpcload
direct=/run/libvirt/virtqemud-sock
front=/run/libvirt/libvirt-sock
# On a disk: a definition is not durable in memory.
work=$(mktemp -d /var/tmp/virtswarm-bench.XXXXXX)
declare -A inside=() result=() sandbox=()
trap finish EXIT
trap 'exit 1' INT TERM

finish() {
    trap - EXIT
    local side
    for side in "${!sandbox[@]}"; do
        # The first process of the namespace: everything in it ends with it.
        kill -KILL "${inside[$side]:-${sandbox[$side]}}" 2>/dev/null || true
        wait "${sandbox[$side]}" 2>/dev/null || true
    done
    [ -z "${echo_pid:-}" ] || kill "$echo_pid" 2>/dev/null || true
    rm -rf "$work"
}

say() { printf '%s\n' "$*" >&2; }
has_c() { [ -n "${inside[c]:-}" ]; }
sides() { if has_c; then echo ours c; else echo ours; fi; }
socket_of() { if [ "$1" = c ]; then echo $front; else echo $direct; fi; }
daemon_of() { if [ "$1" = c ]; then echo libvirtd; else echo virtqemud; fi; }

# The value of a key in a line of key=value.
value() { sed -n "s/.*\b$1=\([^ ]*\).*/\1/p"; }
median() {
    sort -n | awk '{ v[NR] = $1 }
        END { if (NR) print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Runs a command in a side's namespaces.
at() {
    local side=$1
    shift
    nsenter --target "${inside[$side]}" --mount --net --pid -- "$@"
}

open_side() {
    local side=$1 etc=$work/$1
    mkdir -p "$etc"
    for name in libvirtd virtqemud virtproxyd; do printf 'auth_unix_rw = "none"\n' >"$etc/$name.conf"; done
    # No mount namespace per guest: C libvirt cannot make one inside ours.
    printf 'user = "root"\ngroup = "root"\nnamespaces = []\n' >"$etc/qemu.conf"
    if [ "$side" = ours ] && [ ! -x "$build/virtlogd" ]; then printf 'stdio_handler = "file"\n' >>"$etc/qemu.conf"; fi
    SANDBOX_ETC=$etc "$here/../scripts/sandbox.sh" sleep infinity 2>"$work/$side.sandbox.log" &
    sandbox[$side]=$!
    local child=
    for _ in $(seq 100); do
        child=$(cat "/proc/${sandbox[$side]}/task/${sandbox[$side]}/children" 2>/dev/null || true)
        # Ready once the script inside has become the sleep that waits below it.
        [ -n "$child" ] && [ -n "$(cat "/proc/${child% }/task/${child% }/children" 2>/dev/null || true)" ] &&
            nsenter --target "${child% }" --mount -- test -d /run/home && break
        sleep 0.05
    done
    sleep 0.2
    inside[$side]=${child% }
}

# Starts a daemon of a side in the background; its diagnostics are kept.
launch() {
    local side=$1 path=$2
    nsenter --target "${inside[$side]}" --mount --net --pid -- setsid --fork "$path" \
        >/dev/null 2>>"$work/$side.$(basename "$path").log" </dev/null
}

pid_in() { at "$1" pidof -s "$2" || true; }

start_all() {
    local side=$1 name
    if [ "$side" = c ]; then
        for name in virtlogd virtlockd libvirtd; do launch c /usr/sbin/$name; done
    else
        for name in virtlogd virtlockd virtqemud virtproxyd; do
            [ ! -x "$build/$name" ] || launch ours "$build/$name"
        done
    fi
    at "$side" "$load" ready "$(socket_of "$side")" "$EPOCHREALTIME" 0 >/dev/null
}

# Ends the main daemon and starts it again; seconds until it lists all definitions.
restart() {
    local side=$1 name pid since path=/usr/sbin/libvirtd
    name=$(daemon_of "$side")
    [ "$side" = c ] || path=$build/virtqemud
    pid=$(pid_in "$side" "$name")
    at "$side" kill "$pid"
    while at "$side" test -d "/proc/$pid"; do sleep 0.02; done
    since=$EPOCHREALTIME
    launch "$side" "$path"
    at "$side" "$load" ready "$(socket_of "$side")" "$since" "$2" | value seconds
}

# Resident and anonymous megabytes of a daemon.
memory() {
    local pid
    pid=$(pid_in "$1" "$2")
    [ -n "$pid" ] || return 0
    at "$1" awk '/^VmRSS/ { r = $2 } /^RssAnon/ { a = $2 } END { printf "%.1f (%.1f)\n", r / 1024, a / 1024 }' \
        "/proc/$pid/status"
}

# Memory of virtlockd while 200 locks are held.
measure_locks() {
    [ -x "$build/virtlockd" ] || return 0
    at ours python3 -B "$here/hold-locks.py" 200 </dev/null >"$work/locks" || return 0
    result[locks]=$(memory ours virtlockd)
}

# KEY of a load of CLIENTS with a CALL, in turns; medians go to result[NAME.side].
compare() {
    local name=$1 key=$2 clients=$3 side round line
    shift 3
    say "  $name"
    for round in $(seq "$rounds"); do
        for side in $(sides); do
            line=$(at "$side" "$load" load "$(socket_of "$side")" "$clients" 1 "$seconds" "$@") || line="$key=0"
            printf '%s\n' "$line" >>"$work/log.$name.$side"
            printf '%s\n' "$line" | value "$key" >>"$work/$name.$side"
        done
    done
    for side in $(sides); do result[$name.$side]=$(median <"$work/$name.$side"); done
}

# The bare echo and the trivial call in turns, and the proxy beside the daemon behind it.
measure_echo() {
    say "  echo"
    "$build/rpcecho" "$work/socket" &
    echo_pid=$!
    sleep 0.3
    local round
    for round in $(seq "$rounds"); do
        "$load" bare "$work/socket" 64 1 "$seconds" | value calls_per_s >>"$work/bare"
        at ours "$load" load $direct 64 1 "$seconds" libversion | value calls_per_s >>"$work/beside"
    done
    result[bare.c]=$(median <"$work/bare")
    result[bare.ours]=$(median <"$work/beside")
    kill "$echo_pid"
    wait "$echo_pid" 2>/dev/null || true
    echo_pid=
}

# measure_proxy NAME DEPTH CALL...: virtproxyd beside the daemon behind it, in turns.
measure_proxy() {
    at ours test -S $front || return 0
    local name=$1 depth=$2 round socket
    shift 2
    say "  $name"
    for round in $(seq "$rounds"); do
        for socket in $direct $front; do
            at ours "$load" load $socket 64 "$depth" "$seconds" "$@" |
                value calls_per_s >>"$work/$name.$(basename $socket)"
        done
    done
    result[$name.c]=$(median <"$work/$name.virtqemud-sock")
    result[$name.ours]=$(median <"$work/$name.libvirt-sock")
}

# Processor time of a daemon so far, in ticks.
ticks() { at "$1" awk '{ print $14 + $15 }' "/proc/$(pid_in "$1" "$(daemon_of "$1")")/stat"; }

# What a definition costs: ours in a process of its own, and both daemons' processor time for defining and printing it.
measure_model() {
    say "  model"
    local side round before line hertz count=400
    hertz=$(getconf CLK_TCK)
    for round in $(seq "$rounds"); do
        line=$("$build/modeltimes" "$here/domain.xml")
        value total_us <<<"$line" >>"$work/model"
        for side in $(sides); do
            before=$(ticks "$side")
            at "$side" "$load" rewrite "$(socket_of "$side")" "$here/domain.xml" $count bench-m >/dev/null
            awk -v t=$(($(ticks "$side") - before)) -v h="$hertz" -v n=$count 'BEGIN { print t * 1e6 / h / n }' \
                >>"$work/rewrite.$side"
        done
    done
    result[model]=$line
    result[model.ours]=$(median <"$work/model")
    for side in $(sides); do result[rewrite.$side]=$(median <"$work/rewrite.$side"); done
    [ -z "${result[rewrite.c]:-}" ] || result[model.c]=${result[rewrite.c]}
}

measure_definitions() {
    say "  define"
    local side batch each=$((domains / 8))
    for batch in a b c d e f g h; do
        for side in $(sides); do
            at "$side" "$load" define "$(socket_of "$side")" "$here/domain.xml" $each "bench-$batch" |
                value seconds >>"$work/define.$side"
        done
    done
    for side in $(sides); do
        result[define.$side]=$(median <"$work/define.$side" | awk -v n=$each '{ printf "%.3f", $1 * 1000 / n }')
    done
}

measure_starts() {
    say "  start-up"
    local side round
    for round in $(seq "$rounds"); do
        for side in $(sides); do restart "$side" $((domains / 8 * 8)) >>"$work/restart.$side" || true; done
    done
    for side in $(sides); do
        result[restart.$side]=$(median <"$work/restart.$side")
        result[full.$side]=$(memory "$side" "$(daemon_of "$side")")
    done
}

measure_guest() {
    say "  guest"
    local side line
    for side in $(sides); do
        at "$side" "$load" define "$(socket_of "$side")" "$here/guest.xml" 1 guest >/dev/null || continue
        line=$(at "$side" "$load" cycle "$(socket_of "$side")" guest-0000 5) || continue
        result[start.$side]=$(value start_ms <<<"$line")
        result[destroy.$side]=$(value destroy_ms <<<"$line")
    done
}

# 200 calls about a guest whose QEMU is stopped, while another client goes on.
measure_flood() {
    say "  flood"
    local pid
    at ours "$load" start $direct guest-0000 >/dev/null || return 0
    pid=$(at ours pidof -s qemu-system-x86_64) || return 0
    at ours kill -STOP "$pid"
    result[flood]=$(at ours "$load" flood $direct "$seconds" memory guest-0000) || true
    at ours kill -CONT "$pid"
    at ours "$load" destroy $direct guest-0000 >/dev/null || true
}

# What virtlogd takes from one writer, from a hundred, and with 200 logs open.
measure_logs() {
    say "  logs"
    local side round key
    for round in $(seq "$rounds"); do
        for side in $(sides); do
            at "$side" python3 "$here/logs.py" "$(pid_in "$side" virtlogd)" /run/libvirt/virtlogd-sock \
                /var/log/libvirt "$seconds" >"$work/log.logs.$side" || continue
            for key in mb_per_s cpu_ms_per_mb spread rss_mb; do
                value $key <"$work/log.logs.$side" | grep . >>"$work/logs.$key.$side" || true
            done
        done
    done
    for side in $(sides); do
        for key in mb_per_s cpu_ms_per_mb spread rss_mb; do
            [ ! -e "$work/logs.$key.$side" ] || result[logs.$key.$side]=$(median <"$work/logs.$key.$side")
        done
    done
}

# row TEXT NAME [GOAL LIMIT]: OURS / C against "at least" (>=) or "at most" (<=) the limit.
row() {
    local text=$1 ours=${result[$2.ours]:-} c=${result[$2.c]:-} goal=${3:-} limit=${4:-} ratio=- verdict=
    if [ -n "$ours" ] && [ -n "$c" ]; then
        ratio=$(awk -v a="$ours" -v b="$c" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "-" }')
        verdict=$(awk -v r="$ratio" -v g="$goal" -v l="$limit" \
            'BEGIN { if (r == "-" || g == "") print ""; else print ((g == ">=") ? r >= l : r <= l) ? "met" : "MISSED" }')
    fi
    printf '%-46s %12s %12s %8s  %-8s %s\n' "$text" "${ours:--}" "${c:--}" "$ratio" "$goal $limit" "$verdict"
}

table() {
    printf '%-46s %12s %12s %8s  %-8s\n' "" ours C ratio goal
    row "trivial call, 64 clients, calls/s" trivial ">=" 8
    row "  against a bare epoll echo (under C)" bare ">=" 0.65
    row "trivial call, one client, p50 us" single "<=" 1
    row "list of $domains domains, calls/s" list ">=" 5
    row "stats of $domains domains, calls/s" stats ">=" 10
    row "XML of a domain, 64 clients, calls/s" xml ">=" 4
    row "define a domain durably, ms" define "<=" 0.6
    row "start-up with $domains definitions, s" restart "<=" 0.3
    local name text
    for name in "state:proxystate" "XML:proxyxml" "state, 4 in flight:proxydeep" "list of $domains:proxylist"; do
        IFS=: read -r text name <<<"$name"
        row "$text through virtproxyd (direct under C)" "$name" ">=" 0.7
    done
    row "definition, parse to format (C: define+XML), us" model "<=" 0.25
    row "  CPU of the whole daemon for define and XML" rewrite
    row "domain start, ms" start "<=" 0.4
    row "domain destroy, ms" destroy "<=" 0.2
    row "virtlogd, one writer, MB/s" logs.mb_per_s ">=" 4
    row "virtlogd, processor time, ms/MB" logs.cpu_ms_per_mb "<=" 0.4
    printf '\nvirtlogd, 100 writers: most / least taken %s (goal <= 1.2; C %s); resident MB with 200 logs %s (goal <= 12)\n' \
        "${result[logs.spread.ours]:--}" "${result[logs.spread.c]:--}" "${result[logs.rss_mb.ours]:--}"
    printf '\nresident MB (anonymous)\n'
    local entry
    for entry in "virtqemud idle:idle.virtqemud:20 (8)" "virtqemud with $domains definitions:full.ours:34 (22)" \
        "virtproxyd:idle.virtproxyd:10 (2.5)" "virtlogd:idle.virtlogd:10 (2.5)" "virtlockd:idle.virtlockd:10 (2.5)" \
        "virtlockd with 200 locks:locks:12" \
        "C libvirtd idle:idle.c:" "C libvirtd with $domains definitions:full.c:"; do
        IFS=: read -r text key goal <<<"$entry"
        [ -z "${result[$key]:-}" ] || printf '  %-44s %14s  %s\n' "$text" "${result[$key]}" "${goal:+<= $goal}"
    done
    printf '\na definition read, completed, checked, printed: %s (goal: total_us <= 150)\n' \
        "${result[model]:-not measured}"
    printf '200 slow calls at once: %s\n' "${result[flood]:-not measured} (goal: pongs = pings, ratio < 2)"
}

main() {
    say "measuring, a minute or two:"
    open_side ours
    start_all ours
    if [ -x /usr/sbin/libvirtd ] && [ -z "${BENCH_WITHOUT_C:-}" ]; then
        open_side c
        start_all c
        result[idle.c]=$(memory c libvirtd)
    else
        say "  without C libvirtd: ours only"
    fi
    local name
    for name in virtqemud virtproxyd virtlogd virtlockd; do result[idle.$name]=$(memory ours $name); done
    measure_locks
    measure_logs
    measure_echo
    compare trivial calls_per_s 64 libversion
    compare single p50 1 libversion
    measure_definitions
    measure_starts
    compare list calls_per_s 1 list
    compare stats calls_per_s 1 stats
    compare xml calls_per_s 64 xml bench-a-0000
    measure_proxy proxystate 1 state bench-a-0000
    measure_proxy proxyxml 1 xml bench-a-0000
    measure_proxy proxydeep 4 state bench-a-0000
    measure_proxy proxylist 1 list
    measure_model
    measure_guest
    measure_flood
    table
    [ -z "${BENCH_KEEP:-}" ] || { mkdir -p "$BENCH_KEEP" && cp "$work"/*.log "$work"/log.* "$BENCH_KEEP"/; }
}

main
