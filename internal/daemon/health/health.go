// SPDX-License-Identifier: Apache-2.0

// Package health is what a daemon knows of itself that no object can tell: if its
// store can't be written, neither can a status.
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

// Path is where it is served, to those who may read all.
const Path = "/rdd/health"

// Report is how the daemon is.
type Report struct {
	// Unwritable is why nothing can be written to the store; empty if something can.
	Unwritable string `json:"unwritable,omitempty"`
}

// Handler serves a report. writable returns why the store can't be written.
func Handler(writable func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var report Report
		if err := writable(r.Context()); err != nil {
			report.Unwritable = err.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report) // the client has gone if it fails
	})
}

// limit is more than any report has, in bytes.
const limit = 64 << 10

// Read reads the report of the daemon that a kubeconfig names, over the connection
// that other clients of it have. An older daemon knows nothing of itself.
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
	return report, fmt.Errorf("%s answers %s", Path, response.Status)
}
