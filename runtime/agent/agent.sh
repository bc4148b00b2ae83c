#!/bin/sh
# The program autocert-agent: what stays in a pod. It sleeps, and starts the worker (Node) for each piece of work. POSIX sh:
# it runs in busybox and dash. Whatever it reads from files is data and never evaluated.

# First of all: process 1 of a container gets no signal that it has no trap for. What it waits for is killed, not asked to
# end: a child that has just been forked would miss that. The worker replaces files by renaming and leaves nothing half done.
working=
stopped=0
trap 'test -z "$working" || kill -KILL "${!-}" 2>/dev/null; exit "$stopped"' TERM INT

set -u
dir=${AUTOCERT_DIR:-/var/run/autocert.step.sm}
worker=${AUTOCERT_AGENT_WORKER:-/usr/local/bin/autocert-agent-worker}
# The worker's last word, and a sign that a hook of this pod has failed before.
state=$dir/..agent
hook_failed=$dir/..hook-failed

usage='Usage: autocert-agent run | once | wait [--timeout DURATION]

  run    obtain a certificate, then renew it until told to stop
  once   obtain a certificate, then end
  wait   end when a valid certificate is there; fail after --timeout (default 1m, and 11m once it has failed in this pod)

The files are site.crt, site.key and root.crt in AUTOCERT_DIR (default /var/run/autocert.step.sm). The work is done by
AUTOCERT_AGENT_WORKER (default /usr/local/bin/autocert-agent-worker), whose --help names the other settings.
'

misused() {
  printf 'autocert-agent: %s\n\n%s' "$1" "$usage" >&2
  exit 2
}

# Puts the value of the line NAME=value of a file into $value; fails when there is none.
read_field() {
  value=
  lines=0
  while [ "$lines" -lt 20 ] && IFS= read -r line; do
    case $line in
      "$2="*)
        value=${line#*=}
        return 0
        ;;
    esac
    lines=$((lines + 1))
  done 2>/dev/null <"$1"
  return 1
}

# Whether $value is a whole number of at most $1 digits.
is_number() {
  case $value in
    '' | *[!0-9]*) return 1 ;;
  esac
  [ "${#value}" -le "$1" ]
}

# Runs a program to its end, or until a signal: its exit code.
attend() {
  working=yes
  "$@" &
  wait "$!"
  ended=$?
  working=
  return "$ended"
}

# Works and sleeps, for ever; with `once` until there is a certificate.
work() {
  # An init container that is stopped has not succeeded.
  [ "$1" = run ] || stopped=143
  while :; do
    if [ "$1" = once ]; then attend "$worker" --once; else attend "$worker"; fi
    case $ended in
      0) [ "$1" = run ] || exit 0 ;;
      1) ;;
      2) exit 2 ;;
      3) exit 1 ;;
      *) printf 'autocert-agent: %s ended with %s; trying again in a minute\n' "$worker" "$ended" >&2 ;;
    esac
    # Only a worker that ended well has said how long to sleep.
    pause=60
    if [ "$ended" -le 1 ] && read_field "$state" sleep && is_number 4; then pause=$value; fi
    [ "$pause" -ge 1 ] || pause=1
    [ "$pause" -le 600 ] || pause=600
    # A sleep that was killed is a way to wake the agent; one that cannot be started would be none.
    attend sleep "$pause" || [ "$ended" -gt 128 ] || exit 1
  done
}

# Hundredths of a second since some time, into $now. Reading a file costs no process.
clock() {
  if IFS=' ' read -r now rest 2>/dev/null </proc/uptime; then
    now=${now%%.*}${now##*.}
  else
    now=$(date +%s)00
  fi
}

# A duration in Go syntax, such as 1m30s or 50ms, in hundredths of a second, into $hundredths.
parse_duration() {
  rest=$1
  hundredths=0
  [ -n "$rest" ] || return 1
  while [ -n "$rest" ]; do
    value=${rest%%[!0-9]*}
    is_number 6 || return 1
    rest=${rest#"$value"}
    # Without leading zeros, which would make it octal.
    while [ "${#value}" -gt 1 ] && [ "${value#0}" != "$value" ]; do value=${value#0}; done
    case $rest in
      ms*) hundredths=$((hundredths + value / 10)) rest=${rest#ms} ;;
      s*) hundredths=$((hundredths + value * 100)) rest=${rest#s} ;;
      m*) hundredths=$((hundredths + value * 6000)) rest=${rest#m} ;;
      h*) hundredths=$((hundredths + value * 360000)) rest=${rest#h} ;;
      *) return 1 ;;
    esac
  done
}

# Whether a whole set that has not expired is there; if not, $problem. What has expired once is not looked at again.
expired=
is_ready() {
  problem='there are no files yet'
  [ -s "$dir/site.crt" ] && [ -s "$dir/site.key" ] && [ -s "$dir/root.crt" ] || return 1
  read_field "$dir/..data/.about" notAfter && is_number 15 || return 1
  problem='the certificate has expired'
  [ "$value" != "$expired" ] || return 1
  [ "$(date +%s)" -gt "$value" ] || return 0
  expired=$value
  return 1
}

# Kubelet's hook: holds the pod's own containers back. Now and then it has to fail, so that kubelet tells why in an event.
# Kubelet then waits longer before each start of the agent, unless more than ten minutes lie between two ends.
await_files() {
  trap - TERM INT
  timeout=1m
  [ ! -e "$hook_failed" ] || timeout=11m
  case $# in
    0) ;;
    1)
      case $1 in
        --timeout=*) timeout=${1#*=} ;;
        *) misused "this is not known: $*" ;;
      esac
      ;;
    2)
      [ "$1" = --timeout ] || misused "this is not known: $*"
      timeout=$2
      ;;
    *) misused "this is not known: $*" ;;
  esac
  parse_duration "$timeout" || misused "\"$timeout\" is not a duration such as 90s or 1m30s"
  clock
  end=$((now + hundredths))
  polls=0
  while ! is_ready; do
    clock
    [ "$now" -lt "$end" ] || give_up
    # Each sleep is a process, which competes with the work that is awaited.
    case $polls in
      0 | 1 | 2 | 3 | 4) pause=0.02 ;;
      5 | 6 | 7 | 8) pause=0.1 ;;
      *) pause=0.25 ;;
    esac
    polls=$((polls + 1))
    sleep "$pause" || sleep 1
  done
  [ ! -e "$hook_failed" ] || rm -f "$hook_failed"
}

give_up() {
  if read_field "$state" problem; then problem=$value; fi
  printf 'autocert-agent: no valid certificate in %s after %s: %s; the log of the container autocert-renewer tells why\n' \
    "$dir" "$timeout" "$problem" >&2
  { true >"$hook_failed"; } 2>/dev/null
  exit 1
}

case " $* " in
  *' --help '* | *' -h '*)
    printf '%s' "$usage"
    exit 0
    ;;
esac
[ $# -gt 0 ] || misused 'a command is missing'
case $1 in
  run | once)
    [ $# -eq 1 ] || misused "this is not known: $*"
    work "$1"
    ;;
  wait)
    shift
    await_files "$@"
    ;;
  *) misused "this is not known: $*" ;;
esac
