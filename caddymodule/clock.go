package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Clock tells the time that sessions and visitors live by. Modules of the
// namespace people_tracking.clocks implement it, so that a test or a
// simulation can let 45 days go by; without one it is the system's clock.
type Clock interface {
	Now() time.Time
}

// loadClock gives the configured clock, or the system's.
func (a *App) loadClock(ctx caddy.Context) (func() time.Time, error) {
	if len(a.ClockRaw) == 0 {
		return time.Now, nil
	}
	module, err := ctx.LoadModule(a, "ClockRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the clock: %w", err)
	}
	clock, ok := module.(Clock)
	if !ok {
		return nil, fmt.Errorf("clock: %T tells no time", module)
	}
	return clock.Now, nil
}
