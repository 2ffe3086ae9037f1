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

// notifyTimeout bounds a message: a service manager that does not read is not
// worth waiting for.
const notifyTimeout = time.Second

// TakeNotifySocket returns the socket of the service manager that started this
// process, empty for none, and takes it out of the environment: Kubernetes' API
// server would say there that it is ready long before the daemon is, and no
// process that is started from here may speak for it.
func TakeNotifySocket() string {
	address := os.Getenv(notifyVariable)
	_ = os.Unsetenv(notifyVariable)
	return address
}

// notify sends assignments such as READY=1 to the service manager, if there is
// one. A failure is logged only: the daemon is no worse for it.
func (d *daemon) notify(assignments ...string) {
	if d.NotifySocket == "" {
		return
	}
	if err := sendDatagram(d.NotifySocket, strings.Join(assignments, "\n")); err != nil {
		d.Log.Warn("the service manager could not be told", "socket", d.NotifySocket, "error", err)
	}
}

// sendDatagram sends one datagram to a Unix socket. An address that begins with
// @ is an abstract one (unix(7)), as both systemd and Go write them.
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
