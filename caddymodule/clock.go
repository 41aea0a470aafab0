package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

// Clock tells the time that sessions and visitors live by. Modules of the
// namespace people_tracking.clocks implement it, so that a test or a
// simulation can let 45 days go by; without one it is the system's clock.
type Clock interface {
	Now() time.Time
}

// MonotonicClock is a Clock that also counts the time from any moment on, as no
// setting of the clock changes it. It is watched as the system's is (B36).
type MonotonicClock interface {
	Clock
	Monotonic() time.Duration
}

// systemClock is that of the process, so that a reload does not make it forget
// what it was set to.
var systemClock = tracker.NewClock(nil, nil)

// loadClock gives the configured clock, or the system's.
func (a *App) loadClock(ctx caddy.Context) (*tracker.Clock, error) {
	if len(a.ClockRaw) == 0 {
		return systemClock, nil
	}
	module, err := ctx.LoadModule(a, "ClockRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the clock: %w", err)
	}
	switch clock := module.(type) {
	case MonotonicClock:
		return tracker.NewClock(clock.Now, clock.Monotonic), nil
	case Clock:
		return tracker.NewClock(clock.Now, nil), nil
	}
	return nil, fmt.Errorf("clock: %T tells no time", module)
}

const clockPath = "/people_tracking/clock/accept"

// serveAcceptClock takes the clocks of this process as they are (B36).
func serveAcceptClock(w http.ResponseWriter, r *http.Request) error {
	if err := takes(w, r, http.MethodPost); err != nil {
		return err
	}
	app, err := runningApp()
	if err != nil {
		return refused(err)
	}
	answer := acceptedClock{Now: app.now().UTC()}
	if doubt := app.clock.Caution(); doubt != nil {
		app.clock.Accept()
		answer = acceptedClock{Accepted: doubt.Error(), Now: app.now().UTC()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(answer)
}

// acceptedClock is the answer of clockPath.
type acceptedClock struct {
	Accepted string    `json:"accepted,omitempty"` // what the doubt was, "" when there was none
	Now      time.Time `json:"now"`                // the time from now on
}

// clockMetrics tells of the clock of the configuration that runs.
type clockMetrics struct{}

var clockDoubt = prometheus.NewDesc(metricsPrefix+"clock_in_doubt",
	"1 while clocks disagree or did within the last hour: sessions do not end and nothing expires.", nil, nil)

func (clockMetrics) Describe(descs chan<- *prometheus.Desc) { descs <- clockDoubt }

func (clockMetrics) Collect(into chan<- prometheus.Metric) {
	if app, err := runningApp(); err == nil {
		into <- prometheus.MustNewConstMetric(clockDoubt, prometheus.GaugeValue, number(app.clock.Doubt() != nil))
	}
}
