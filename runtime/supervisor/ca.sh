#!/bin/sh
# What the container step-ca runs: starts step-ca when the supervisor says so, and stops it when the supervisor says so.
# POSIX sh: it runs in busybox and dash, with no program beside them but a busybox. What it reads from files is data.
#
# The two talk in files of a folder; each writes one and reads the other's.
#   state   of this script: "stopped RUN WHY" or "running RUN". RUN grows by one with each end of step-ca, and with each
#           start of this script, so that an order is never taken for that of another run.
#   order   of the supervisor: "go RUN", "stop RUN", or "wait RUN BEAT", which says that it is at work.
#   hold    of the supervisor, while the database is not in its place: step-ca is not started without an order.

# First of all: process 1 of a container gets no signal that it has no trap for. It is looked at between two sleeps.
told=
trap 'told=yes' TERM INT

set -u
if [ $# -ne 2 ]; then
  printf 'Usage: ca.sh CONTROL_FOLDER CONFIGURATION_FOLDER\n' >&2
  exit 2
fi
control=$1
config=$2
step_ca=${AUTOCERT_STEP_CA:-/usr/local/bin/step-ca}
busybox=${AUTOCERT_BUSYBOX:-${0%/*}/busybox}
# Seconds without a word of the supervisor after which step-ca is started all the same, and after which a step-ca that
# was told to end is killed: one whose database is stuck does not end by itself.
patience=${AUTOCERT_PATIENCE:-60}
grace=5

say() {
  printf '%s %s %s\n' "$1" "$run" "$2" >"$control/state.new" && "$busybox" mv "$control/state.new" "$control/state"
}

# Puts the words of a file into $word, $number and $rest.
read_words() {
  word='' number='' rest=''
  IFS=' ' read -r word number rest 2>/dev/null <"$1"
}

# Sleeps for a fifth of a second. A shell that can start no process any more ends; kubelet starts another.
pause() {
  "$busybox" sleep 0.2 || [ $? -gt 128 ] || exit 1
}

await_order() {
  silent=0
  heard=
  while [ -z "$told" ]; do
    read_words "$control/order"
    [ "$number" = "$run" ] || word=
    [ "$word" != go ] || return 0
    if [ "$word $rest" = "$heard" ]; then silent=$((silent + 1)); else silent=0 heard="$word $rest"; fi
    if [ "$silent" -ge $((patience * 5)) ] && [ -s "$config/current/ca.json" ] && [ ! -e "$control/hold" ]; then
      printf 'ca.sh: not a word of the supervisor for %s s: starting step-ca with the configuration that is there\n' \
        "$patience" >&2
      return 0
    fi
    pause
  done
  exit 0
}

# Runs step-ca to its end: its exit code, in $code.
run_ca() {
  "$step_ca" --password-file "$config/current/password" "$config/current/ca.json" &
  child=$!
  say running "$child"
  polls=
  while kill -0 "$child" 2>/dev/null; do
    if [ -n "$polls" ]; then
      polls=$((polls - 1))
      [ "$polls" -gt 0 ] || kill -KILL "$child" 2>/dev/null
    else
      read_words "$control/order"
      if [ -n "$told" ] || [ "$word $number" = "stop $run" ]; then
        kill -TERM "$child" 2>/dev/null
        polls=$((grace * 5))
      fi
    fi
    pause
  done
  wait "$child"
  code=$?
}

# The number after that of an earlier life of this script; never one that is larger than a shell can count.
read_words "$control/state"
case $number in
  '' | *[!0-9]* | ??????????*) run=1 ;;
  *) run=$((number + 1)) ;;
esac
say stopped start
while :; do
  await_order
  run_ca
  run=$((run + 1))
  say stopped "exit:$code"
  [ -z "$told" ] || exit 0
  printf 'ca.sh: step-ca ended with %s\n' "$code" >&2
done
