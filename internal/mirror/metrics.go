// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the mirror's own. Their engine is a ContainerEngine's namespace
// and name.
type metrics struct {
	events  *prometheus.CounterVec
	writes  *prometheus.CounterVec
	retries *prometheus.CounterVec
	repairs *prometheus.CounterVec
	latency *prometheus.HistogramVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "rdd", Subsystem: "mirror", Name: name, Help: help,
		}, append([]string{"engine", "kind"}, labels...))
	}
	m := &metrics{
		events:  counter("events_total", "Events received from the engine."),
		writes:  counter("writes_total", "Writes to the API server, by verb.", "verb"),
		retries: counter("retries_total", "Syncs that failed and were retried."),
		repairs: counter("resync_repairs_total", "Objects whose mirrors a comparison with the engine repaired, after the first comparison."),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "rdd", Subsystem: "mirror", Name: "event_to_write_seconds",
			Help:    "Time from an event to the end of the write that it caused.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14), // 1 ms to 8 s
		}, []string{"engine", "kind"}),
	}
	for _, collector := range []prometheus.Collector{m.events, m.writes, m.retries, m.repairs, m.latency} {
		if err := registry.Register(collector); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// forget removes the metrics of an engine.
func (m *metrics) forget(name string) {
	labels := prometheus.Labels{"engine": name}
	for _, vector := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{m.events, m.writes, m.retries, m.repairs, m.latency} {
		vector.DeletePartialMatch(labels)
	}
}

var mirroredObjects = prometheus.NewDesc("rdd_mirror_objects", "Number of mirrors.", []string{"engine", "kind"}, nil)

// Describe implements [prometheus.Collector].
func (r *reconciler) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- mirroredObjects }

// Collect implements [prometheus.Collector]: it counts the mirrors.
func (r *reconciler) Collect(found chan<- prometheus.Metric) {
	r.mu.Lock()
	var sessions []*Session
	for _, run := range r.sessions {
		if run.session != nil {
			sessions = append(sessions, run.session)
		}
	}
	r.mu.Unlock()
	for _, s := range sessions {
		for kind, n := range s.State().Counts {
			found <- prometheus.MustNewConstMetric(mirroredObjects, prometheus.GaugeValue, float64(n), s.owner.String(), string(kind))
		}
	}
}
