package caddymodule

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/livechat-people/caddy-people-tracking/inject"
	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
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
	return m
}

// page counts what became of a response.
func (m *metrics) page(outcome inject.Outcome) {
	if int(outcome) < len(m.outcomes) {
		m.outcomes[outcome].Inc()
	}
}

func (m *metrics) register(registry prometheus.Registerer) error {
	for _, each := range []prometheus.Collector{m.pages, m.requests, m.calls, storeMetrics{}} {
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

// storeMetrics reads the pool when it is asked. Several stores, as during a
// reload that changes the directory, are summed up.
type storeMetrics struct{}

// figure is a number of every store.
type figure[Stats any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(Stats) float64
}

func newFigure[Stats any](name, help string, kind prometheus.ValueType, of func(Stats) float64) figure[Stats] {
	return figure[Stats]{prometheus.NewDesc(metricsPrefix+name, help, nil, nil), kind, of}
}

var (
	storeOpen = prometheus.NewDesc(metricsPrefix+"store_open", "Stores that are open.", nil, nil)
	storeShut = prometheus.NewDesc(metricsPrefix+"store_unavailable", "Stores that could not be opened and are retried.", nil, nil)
	commits   = prometheus.NewDesc(metricsPrefix+"store_commit_seconds", "Time of one commit, sync to disk included.", nil, nil)

	storeFigures = []figure[store.Stats]{
		newFigure("store_updates_total", "Updates answered.", prometheus.CounterValue,
			func(s store.Stats) float64 { return float64(s.Requests) }),
		newFigure("store_updates_rejected_total", "Updates refused because too many were waiting.", prometheus.CounterValue,
			func(s store.Stats) float64 { return float64(s.Rejected) }),
		newFigure("store_commits_retried_total", "Commits run again after a lost race, or in halves.", prometheus.CounterValue,
			func(s store.Stats) float64 { return float64(s.Retries) }),
		newFigure("store_commits_failed_total", "Commits that failed.", prometheus.CounterValue,
			func(s store.Stats) float64 { return float64(s.Failed) }),
		newFigure("store_queue", "Updates waiting.", prometheus.GaugeValue,
			func(s store.Stats) float64 { return float64(s.Queue) }),
		newFigure("store_queue_capacity", "Updates that may wait.", prometheus.GaugeValue,
			func(s store.Stats) float64 { return float64(s.QueueCapacity) }),
	}

	badgerFigures = []figure[badger.Stats]{
		newFigure("store_table_bytes", "Size of Badger's sorted tables on disk.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return float64(s.TableBytes) }),
		newFigure("store_disk_free_bytes", "Free space on the disk of Badger's directory.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return float64(s.DiskFree) }),
		newFigure("store_disk_full", "1 while updates are refused because the disk is almost full.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return number(s.DiskFull) }),
	}
)

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (storeMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- storeOpen
	descs <- storeShut
	descs <- commits
	for _, f := range storeFigures {
		descs <- f.desc
	}
	for _, f := range badgerFigures {
		descs <- f.desc
	}
}

func (storeMetrics) Collect(into chan<- prometheus.Metric) {
	var open []store.Stats
	var embedded []badger.Stats
	shut := 0
	stores.Range(func(_, value any) bool {
		engine, err := value.(*pooledStore).current()
		if err != nil {
			shut++
			return true
		}
		switch engine := engine.(type) {
		case *badger.Store:
			stats := engine.Stats()
			open, embedded = append(open, stats.Stats), append(embedded, stats)
		case *postgres.Store:
			open = append(open, engine.Stats().Stats)
		}
		return true
	})
	gauge := func(desc *prometheus.Desc, value float64) {
		into <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	gauge(storeOpen, float64(len(open)))
	gauge(storeShut, float64(shut))
	if len(open) > 0 {
		collect(into, storeFigures, open)
		into <- commitHistogram(open)
	}
	if len(embedded) > 0 {
		collect(into, badgerFigures, embedded)
	}
}

func collect[Stats any](into chan<- prometheus.Metric, figures []figure[Stats], of []Stats) {
	for _, f := range figures {
		total := 0.0
		for _, stats := range of {
			total += f.of(stats)
		}
		into <- prometheus.MustNewConstMetric(f.desc, f.kind, total)
	}
}

func commitHistogram(of []store.Stats) prometheus.Metric {
	var count uint64
	var seconds float64
	buckets := make(map[float64]uint64)
	for _, stats := range of {
		count += stats.CommitSeconds.Count
		seconds += stats.CommitSeconds.Sum
		for i, bound := range stats.CommitSeconds.Bounds {
			buckets[bound] += stats.CommitSeconds.Counts[i]
		}
	}
	return prometheus.MustNewConstHistogram(commits, count, seconds, buckets)
}
