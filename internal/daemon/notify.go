// SPDX-License-Identifier: Apache-2.0

package daemon

import (
	"context"
	"net"
	"os"
	"strings"
	"time"
)

// notifyVariable names the socket of the service manager, in the environment
// (sd_notify(3)).
const notifyVariable = "NOTIFY_SOCKET"

// notifyTimeout bounds a message: a service manager that does not read must not block
// the daemon.
const notifyTimeout = time.Second

// TakeNotifySocket returns the socket of the service manager that started this process,
// empty if there is none, and removes it from the environment: Kubernetes' API server
// would report readiness long before the daemon is ready, and child processes must not
// use it.
func TakeNotifySocket() string {
	address := os.Getenv(notifyVariable)
	_ = os.Unsetenv(notifyVariable)
	return address
}

// notify sends assignments such as READY=1 to the service manager, if there is one. It
// only logs a failure, which does not affect the daemon.
func (d *daemon) notify(assignments ...string) {
	if d.NotifySocket == "" {
		return
	}
	if err := sendDatagram(d.NotifySocket, strings.Join(assignments, "\n")); err != nil {
		d.Log.Warn("notifying the service manager failed", "socket", d.NotifySocket, "error", err)
	}
}

// sendDatagram sends one datagram to a Unix socket. An address that starts with @ is an
// abstract one (unix(7)), in systemd's and Go's notation.
func sendDatagram(address, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), notifyTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unixgram", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}
