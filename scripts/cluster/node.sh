#!/usr/bin/env bash
# The first process of a node. It runs in mount, network and process-id namespaces of its own (unshare starts it), so
# that its death ends every process of the node and undoes every mount, interface and iptables rule: the kernel sees to
# it. All that can outlive it are files in STATE and empty control groups.
# Usage: node.sh STATE NODE_ADDRESS         the first node
#        node.sh STATE NODE_ADDRESS FIRST   one that joins the node whose STATE is FIRST; it has been given the mounts of
#                                           that node, keeps the shared disk of them, and is given its network later
# Prints its process id as the machine sees it, when all is set up.
set -euo pipefail
state=$1 address=$2 first=${3-}
if [ -n "$first" ]; then
  busybox umount -l /proc # util-linux's umount wants to read /proc, which knows us only as the machine's
  for dir in run var/lib var/log opt "${first#/}/root"; do umount --lazy "/$dir"; done
fi
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
if [ -z "$first" ]; then # volumes are here: nodes that join reach them, too
  mkdir "$state/volumes"
  mount -t tmpfs -o mode=755,size=512m tmpfs "$state/volumes"
fi
mount -t proc proc /proc
for key in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  mkdir -p "$state/sys/$(dirname $key)" # kubelet writes these: into copies
  cat "/proc/sys/$key" > "$state/sys/$key"
  mount --bind "$state/sys/$key" "/proc/sys/$key"
done

ip link set lo up
if [ -z "$first" ]; then
  ip link add node0 type veth peer name node1 # no kernel lacks veth, some lack dummy; the other end answers nothing
  ip link set node1 up
  ip address add "$address/24" dev node0
  ip link set node0 up
  ip route add default dev node0
fi
for setting in net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1 net.bridge.bridge-nf-call-iptables=1; do
  sysctl -qw "$setting" || true
done

echo "$pid"
exec > /dev/null
while :; do # bash reaps what the containers' shims leave to it
  sleep infinity &
  wait $!
done
