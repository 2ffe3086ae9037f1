#!/bin/sh
# Lima runs this over ssh, as the user, until it succeeds.
set -eu

case $PARAM_CONTAINER_ENGINE in
moby) unit=docker.service socket=/run/docker.sock ;;
*) unit=containerd.service socket=/run/containerd/containerd.sock ;;
esac

# Both services are active only once they answer.
tries=60
until systemctl is-active --quiet "$unit" && [ -w "$socket" ]; do
  tries=$((tries - 1))
  if [ "$tries" = 0 ]; then
    echo "$unit does not run yet, or $socket is not the user's: $(systemctl is-active "$unit")" >&2
    exit 1
  fi
  sleep 1
done
