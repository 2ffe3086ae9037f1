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

# on UNIT… has units run, now and at later boots; off UNIT… the contrary.
on() {
  for unit in "$@"; do
    systemctl is-enabled --quiet "$unit" || systemctl enable "$unit"
  done
  systemctl start "$@"
}
off() {
  for unit in "$@"; do
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then
      systemctl disable --now "$unit"
    fi
  done
}

# The socket is forwarded through an ssh session that is there before this
# script. A group that the user joined now would not be seen by that session; a
# socket's owner is.
if [ "$PARAM_CONTAINER_ENGINE" = moby ]; then
  put /etc/systemd/system/docker.socket.d/rdd.conf <<END
[Socket]
SocketUser=$user
END
  on docker.socket docker.service
  chown "$user" /run/docker.sock
else
  off docker.service docker.socket
  put /etc/systemd/system/containerd.service.d/rdd.conf <<END
[Service]
ExecStartPost=/bin/chown $user /run/containerd/containerd.sock
END
  on containerd.service
  chown "$user" /run/containerd/containerd.sock
fi
