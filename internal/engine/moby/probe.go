// SPDX-License-Identifier: Apache-2.0

package moby

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// probeLimit is how much of an answer to a ping is read, with its headers, in bytes.
const probeLimit = 64 << 10

// probe asks for a ping over a new connection. What is wrong with a connection
// over ssh shows in the first answer only, and so does, with TLS 1.3, that the
// engine does not take the client's certificate. again reports that all is well
// but the engine ends each connection after one answer. base is the path of the
// API. The connection is closed where ctx ends before.
func probe(ctx context.Context, conn net.Conn, base string) (again bool, err error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if !stop() {
			err = context.Cause(ctx)
		}
	}()
	// Where writing fails, what there is to read says why.
	_, failed := fmt.Fprintf(conn, "GET %s/_ping HTTP/1.1\r\nHost: docker.invalid\r\n\r\n", base)
	reader := bufio.NewReader(io.LimitReader(conn, probeLimit))
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && failed != nil {
			return false, failed
		}
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, probeLimit)); err != nil {
		return false, err
	}
	return response.Close || reader.Buffered() > 0, nil
}
