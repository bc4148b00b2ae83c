#!/usr/bin/env bash
# The first process of the node. It runs in mount, network and process-id namespaces of its own (unshare starts it), so
# that its death ends every process of the node and undoes every mount, interface and iptables rule: the kernel sees to
# it. All that can outlive it are files in STATE and empty control groups.
# Usage: node.sh STATE NODE_ADDRESS     Prints its process id as the machine sees it, when all is set up.
set -euo pipefail
state=$1 address=$2
read -r pid _ < /proc/self/stat

mount --make-rshared / # kubelet hands mounts on to containers; the machine sees none of them
mount -t tmpfs -o mode=755 tmpfs /run
# The node's disk is in memory: on a shared one the container runtime's syncs make the CA's database wait for each other.
mkdir "$state/root"
mount -t tmpfs -o mode=755 tmpfs "$state/root"
for dir in var/lib var/log opt; do
  mkdir -p "$state/root/$dir"
  mount --bind "$state/root/$dir" "/$dir"
done
mount -t proc proc /proc
for key in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  mkdir -p "$state/sys/$(dirname $key)" # kubelet writes these: into copies
  cat "/proc/sys/$key" > "$state/sys/$key"
  mount --bind "$state/sys/$key" "/proc/sys/$key"
done

ip link set lo up
ip link add node0 type veth peer name node1 # no kernel lacks veth, some lack dummy; the other end answers nothing
ip link set node1 up
ip address add "$address/24" dev node0
ip link set node0 up
ip route add default dev node0
for setting in net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1 net.bridge.bridge-nf-call-iptables=1; do
  sysctl -qw "$setting" || true
done

echo "$pid"
exec > /dev/null
while :; do # bash reaps what the containers' shims leave to it
  sleep infinity &
  wait $!
done
