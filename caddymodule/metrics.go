package caddymodule

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/livechat-people/caddy-people-tracking/inject"
	"github.com/livechat-people/caddy-people-tracking/tracker/collector"
)

// metrics are the collectors of the process. They are made once and registered
// in the registry of every configuration, which is a new one on each reload, so
// that counters go on counting. Labels take their values from enumerations,
// never from what a client sends.
type metrics struct {
	pages    *prometheus.CounterVec
	outcomes []prometheus.Counter // of pages, by inject.Outcome
	requests *prometheus.CounterVec
	calls    *prometheus.CounterVec
}

var measured = newMetrics()

const metricsPrefix = "people_tracking_"

func newMetrics() *metrics {
	m := &metrics{
		pages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "pages_total",
			Help: "Responses by what was done with them: injected, or the reason they were left alone.",
		}, []string{"result"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "requests_total",
			Help: "Requests of the SDK by what became of them.",
		}, []string{"result"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "calls_total",
			Help: "Calls of the SDK by method and result: ok, or the code of the error.",
		}, []string{"method", "result"}),
	}
	for _, outcome := range inject.Outcomes() {
		m.outcomes = append(m.outcomes, m.pages.WithLabelValues(outcome.String()))
	}
	for _, result := range collector.Results() { // a counter that begins at 1 hides its first increase
		m.requests.WithLabelValues(result)
	}
	return m
}

// page counts what became of a response.
func (m *metrics) page(outcome inject.Outcome) {
	if int(outcome) < len(m.outcomes) {
		m.outcomes[outcome].Inc()
	}
}

func (m *metrics) register(registry prometheus.Registerer) error {
	for _, each := range []prometheus.Collector{m.pages, m.requests, m.calls, storeMetrics{}, clockMetrics{}} {
		var already prometheus.AlreadyRegisteredError
		// The same collector may be there: a registry is asked once for each app.
		if err := registry.Register(each); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

// observe counts what became of a request or of one of its calls.
func (m *metrics) observe(o collector.Observation) {
	if o.Method == "" {
		m.requests.WithLabelValues(o.Result).Inc()
		return
	}
	m.calls.WithLabelValues(o.Method, o.Result).Inc()
}
