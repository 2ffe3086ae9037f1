#!/bin/sh
# Lima runs this as root at every boot: it must be quick, and need no network,
# where all is done.
set -eu

user='{{.User}}'

case $PARAM_CONTAINER_ENGINE in
moby) program=dockerd package=docker.io ;;
containerd) program=containerd package=containerd ;;
*)
  echo "no such container engine: $PARAM_CONTAINER_ENGINE" >&2
  exit 1
  ;;
esac

# whole says whether the engine is there. A boot that was cut off may have left
# its package half installed.
whole() {
  command -v "$program" >/dev/null || return 1
  case $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) in
  unpacked | half-*) return 1 ;;
  esac
}

if ! whole; then
  if ! command -v apt-get >/dev/null; then
    echo "the image has no $program, and no apt-get to install it: use an image that has it" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt='apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300'
  dpkg --configure -a || true
  $apt update
  # Docker starts no container where the kernel has AppArmor and its program is
  # missing.
  $apt install -y --fix-broken --no-install-recommends "$package" apparmor iptables ca-certificates
fi

# put FILE makes standard input the content of a systemd unit's file.
put() {
  content=$(cat)
  if [ "$content" != "$(cat "$1" 2>/dev/null)" ]; then
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$content" >"$1"
    systemctl daemon-reload
  fi
}

# by_hand UNIT… leaves it to this script to start units, and not to the boot.
by_hand() {
  for unit in "$@"; do
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then
      systemctl disable "$unit"
    fi
  done
}

# The socket is forwarded through an ssh session that is there before this
# script. A group that the user joined now would not be seen by that session; a
# socket's owner is.
if [ "$PARAM_CONTAINER_ENGINE" = containerd ]; then
  by_hand docker.service docker.socket
  systemctl stop docker.service docker.socket 2>/dev/null || true
  put /etc/systemd/system/containerd.service.d/rdd.conf <<END
[Service]
ExecStartPost=/bin/chown $user /run/containerd/containerd.sock
END
  systemctl start containerd.service
  chown "$user" /run/containerd/containerd.sock
  exit
fi

# Docker starts the containers that are to run always. Directories of the host
# that come over ssh are mounted by the host, at some time of the boot: a
# container that is started before sees empty ones for ever.
by_hand docker.service docker.socket
tries=60
until [ "$(grep -c ' fuse.sshfs ' /proc/mounts)" -ge "$PARAM_SSHFS_MOUNTS" ]; do
  tries=$((tries - 1))
  if [ "$tries" = 0 ]; then
    echo "not all $PARAM_SSHFS_MOUNTS directories of the host are mounted: Docker starts without" >&2
    break
  fi
  sleep 1
done
put /etc/systemd/system/docker.socket.d/rdd.conf <<END
[Socket]
SocketUser=$user
END
systemctl start docker.socket docker.service
chown "$user" /run/docker.sock
