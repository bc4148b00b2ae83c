#!/bin/sh
# Greets hello-mtls every five seconds. curl reads the files anew each time, so renewals need nothing more.
dir=${CERTIFICATE_DIR:-/var/run/autocert.step.sm}
url=${HELLO_MTLS_URL:-https://hello-mtls.default.svc.cluster.local}
trap 'exit 0' TERM INT
while :; do
  # one consistent set of files: resolve `..data` once
  set=$(readlink -f "$dir/..data")
  printf '%s: ' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  curl --silent --show-error --tlsv1.2 --cacert "$set/root.crt" --cert "$set/site.crt" --key "$set/site.key" "$url" 2>&1
  sleep "${INTERVAL:-5}" &
  wait $!
done
