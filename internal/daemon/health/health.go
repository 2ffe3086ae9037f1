// SPDX-License-Identifier: Apache-2.0

// Package health reports the daemon's own health, which no object can: if its store
// can't be written, neither can a status.
package health

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Path of the endpoint, for clients that may read everything.
const Path = "/rdd/health"

// Report is the daemon's health.
type Report struct {
	// Unwritable is why the store can't be written; empty if it can.
	Unwritable string `json:"unwritable,omitempty"`
}

// Handler serves the report. writable returns why the store can't be written.
func Handler(writable func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var report Report
		if err := writable(r.Context()); err != nil {
			report.Unwritable = err.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report) // an error means that the client has disconnected
	})
}

// limit bounds the size of a report, in bytes.
const limit = 64 << 10

// Read reads the report of the kubeconfig's daemon, over its usual connection. An older
// daemon has no report.
func Read(ctx context.Context, kubeconfig string) (report Report, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return report, fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return report, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+Path, http.NoBody)
	if err != nil {
		return report, err
	}
	response, err := client.Do(request)
	if err != nil {
		return report, err
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		return report, json.NewDecoder(io.LimitReader(response.Body, limit)).Decode(&report)
	case http.StatusNotFound:
		return report, nil
	}
	return report, fmt.Errorf("%s returned %s", Path, response.Status)
}
