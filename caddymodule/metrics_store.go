package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/badger"
	"github.com/livechat-people/caddy-people-tracking/store/postgres"
)

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

	storeHistograms = []histogram{
		newHistogram("store_commit_seconds", "Time of one commit, sync to disk included.",
			func(s store.Stats) store.Histogram { return s.CommitSeconds }),
		newHistogram("store_batch_updates", "Updates that shared one commit.",
			func(s store.Stats) store.Histogram { return s.BatchRequests }),
		newHistogram("store_batch_writes", "Keys written by one commit.",
			func(s store.Stats) store.Histogram { return s.BatchWrites }),
	}

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
		newFigure("store_log_bytes", "Size of Badger's logs on disk, which are sized in advance.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return float64(s.LogBytes) }),
		newFigure("store_disk_free_bytes", "Free space on the disk of Badger's directory.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return float64(s.DiskFree) }),
		newFigure("store_disk_full", "1 while updates are refused because the disk is almost full.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return number(s.DiskFull) }),
		newFigure("store_lost", "1 once the directory was removed or replaced: nothing is answered until a restart.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return number(s.Lost) }),
		newFigure("store_broken", "1 once a write failed: updates are refused until a restart.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return number(s.Broken) }),
		newFigure("store_damaged", "1 once a table was found damaged.", prometheus.GaugeValue,
			func(s badger.Stats) float64 { return number(s.Damaged) }),
		newFigure("store_purges_total", "Purges of deleted data from the files.", prometheus.CounterValue,
			func(s badger.Stats) float64 { return float64(s.Purges) }),
	}

	postgresFigures = []figure[postgres.Stats]{
		newFigure("store_connections", "Connections to the database.", prometheus.GaugeValue,
			func(s postgres.Stats) float64 { return float64(s.Connections) }),
		newFigure("store_connections_busy", "Connections to the database that are in use.", prometheus.GaugeValue,
			func(s postgres.Stats) float64 { return float64(s.ConnectionsBusy) }),
	}
)

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// histogram is a distribution of every store.
type histogram struct {
	desc *prometheus.Desc
	of   func(store.Stats) store.Histogram
}

func newHistogram(name, help string, of func(store.Stats) store.Histogram) histogram {
	return histogram{prometheus.NewDesc(metricsPrefix+name, help, nil, nil), of}
}

func (storeMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- storeOpen
	descs <- storeShut
	for _, h := range storeHistograms {
		descs <- h.desc
	}
	describe(descs, storeFigures)
	describe(descs, badgerFigures)
	describe(descs, postgresFigures)
}

func describe[Stats any](descs chan<- *prometheus.Desc, figures []figure[Stats]) {
	for _, f := range figures {
		descs <- f.desc
	}
}

func (storeMetrics) Collect(into chan<- prometheus.Metric) {
	var open []store.Stats
	var embedded []badger.Stats
	var networked []postgres.Stats
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
			stats := engine.Stats()
			open, networked = append(open, stats.Stats), append(networked, stats)
		}
		return true
	})
	gauge := func(desc *prometheus.Desc, value float64) {
		into <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	gauge(storeOpen, float64(len(open)))
	gauge(storeShut, float64(shut))
	collect(into, storeFigures, open)
	collect(into, badgerFigures, embedded)
	collect(into, postgresFigures, networked)
	for _, h := range storeHistograms {
		if len(open) > 0 {
			into <- h.sum(open)
		}
	}
}

func collect[Stats any](into chan<- prometheus.Metric, figures []figure[Stats], of []Stats) {
	if len(of) == 0 {
		return
	}
	for _, f := range figures {
		total := 0.0
		for _, stats := range of {
			total += f.of(stats)
		}
		into <- prometheus.MustNewConstMetric(f.desc, f.kind, total)
	}
}

// sum is the distribution over all stores, which have the same bounds.
func (h histogram) sum(of []store.Stats) prometheus.Metric {
	var count uint64
	var total float64
	buckets := make(map[float64]uint64)
	for _, stats := range of {
		one := h.of(stats)
		count += one.Count
		total += one.Sum
		for i, bound := range one.Bounds {
			buckets[bound] += one.Counts[i]
		}
	}
	return prometheus.MustNewConstHistogram(h.desc, count, total, buckets)
}
