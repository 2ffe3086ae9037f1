#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print a line for each container of RDD that is added, changed or deleted.

It reconnects after the daemon was stopped, and prints the changes that it
missed. It needs the Kubernetes client for Python, and uses the same kubeconfig
as kubectl.
"""

import ipaddress
import sys
import time
from urllib.parse import urlsplit

import urllib3
from kubernetes import client, config, watch

CONTAINERS = ("containers.rancherdesktop.io", "v1alpha1", "containers")
CONNECT = 10  # seconds to wait for a connection


def connect():
    """Return the API of the cluster in the kubeconfig, which may have another port by now."""
    config.load_kube_config()
    settings = client.Configuration.get_default_copy()
    if is_loopback(urlsplit(settings.host).hostname):
        # From version 33 on the client uses HTTPS_PROXY for this machine too,
        # unless NO_PROXY excludes it.
        settings.proxy = None
    return client.CustomObjectsApi(client.ApiClient(settings))


def is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def say(what, container):
    status = container["status"]
    print(f"{what:8} {status.get('status', ''):10} {status['name']:20} {status.get('imageName', '')}", flush=True)


class Containers:
    """The printed containers, by UID."""

    def __init__(self):
        self.known = {}

    def put(self, container):
        if not container.get("status", {}).get("name"):
            return  # just created: the status is not written yet
        uid = container["metadata"]["uid"]
        before = self.known.get(uid)
        self.known[uid] = container
        if before is None:
            say("added", container)
        elif before["metadata"]["resourceVersion"] != container["metadata"]["resourceVersion"]:
            say("changed", container)

    def drop(self, uid):
        if uid in self.known:
            say("deleted", self.known.pop(uid))

    def follow(self, api):
        """List all containers, and watch from there until the watch is lost."""
        listed = api.list_cluster_custom_object(*CONTAINERS, _request_timeout=CONNECT)
        for uid in self.known.keys() - {item["metadata"]["uid"] for item in listed["items"]}:
            self.drop(uid)
        for item in listed["items"]:
            self.put(item)
        version = listed["metadata"]["resourceVersion"]
        # The connection has a deadline, and the watch has none.
        events = watch.Watch().stream(
            api.list_cluster_custom_object, *CONTAINERS, resource_version=version, _request_timeout=(CONNECT, None)
        )
        for event in events:
            if event["type"] == "DELETED":
                self.drop(event["object"]["metadata"]["uid"])
            else:
                self.put(event["object"])


def main():
    containers = Containers()
    last = None
    while True:
        try:
            containers.follow(connect())
            last = None
        except (client.ApiException, urllib3.exceptions.HTTPError) as error:
            # The daemon is stopped, or the watch's version is too old.
            if type(error) is not last:
                print(f"trying again: {error}", file=sys.stderr, flush=True)
            last = type(error)
            time.sleep(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
