package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

const (
	// keepAlive is shorter than proxies wait for a byte, 30 s and more.
	keepAlive = 15 * time.Second
	// maxBeats ends a stream after half an hour. The watcher comes back and shows
	// again that it may watch.
	maxBeats = 120
	// writeTimeout ends the stream of somebody who takes nothing in, and whom a
	// shutdown would wait for.
	writeTimeout = 10 * time.Second
	// comeBack is after how many milliseconds an EventSource connects again.
	comeBack = 2000
	// maxOutcomeID is longer than any id of an outcome.
	maxOutcomeID = 64
)

// apiLive streams what becomes of calls as server-sent events, first what is
// held, or of that what came after the last one seen.
func (h *handler) apiLive(w http.ResponseWriter, r *http.Request) error {
	after, err := lastSeen(r)
	if err != nil {
		return err
	}
	news, stop, err := h.people.Watch(h.account)
	if err != nil {
		return fmt.Errorf("watch calls: %w", err)
	}
	defer stop()
	beat, end := h.every(keepAlive)
	defer end()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform") // a compressor would hold events back
	header.Set("X-Accel-Buffering", "no")                 // so would nginx in front
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	s := &stream{to: w, flush: http.NewResponseController(w), after: after}
	defer s.close()
	s.buffer = fmt.Appendf(nil, "retry: %d\n\n", comeBack)
	for beats := 0; beats < maxBeats; {
		if err := s.send(h.people.Outcomes(h.account, s.after)); err != nil {
			return nil // the watcher has gone, which is nobody's error
		}
		select {
		case <-news:
		case <-beat:
			beats++
			s.buffer = append(s.buffer, ":\n\n"...)
		case <-r.Context().Done():
			return nil
		case <-h.stopping:
			return nil
		}
	}
	return nil
}

// lastSeen is the id of the last outcome that the watcher has: as an
// EventSource sends it when it comes back, or else as a page says it.
func lastSeen(r *http.Request) (string, error) {
	params, err := readParams(r)
	if err == nil {
		err = params.only("after")
	}
	if err != nil {
		return "", err
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = params.get("after")
	}
	if len(after) > maxOutcomeID {
		return "", badParameter("after", "longer than "+strconv.Itoa(maxOutcomeID)+" bytes")
	}
	return after, nil
}

// stream writes events to one watcher.
type stream struct {
	to     http.ResponseWriter
	flush  *http.ResponseController
	after  string // id of the last outcome that was sent
	buffer []byte
}

// send writes what is in the buffer, then that some were missed, then outcomes.
func (s *stream) send(outcomes []tracker.Outcome, missed uint64) error {
	if missed > 0 {
		s.buffer = fmt.Appendf(s.buffer, "event: missed\ndata: {\"missed\":%d}\n\n", missed)
	}
	for i := range outcomes {
		data, err := json.Marshal(&outcomes[i])
		if err != nil {
			return fmt.Errorf("encode outcome: %w", err)
		}
		s.after = outcomes[i].ID
		s.buffer = fmt.Appendf(s.buffer, "id: %s\ndata: %s\n\n", s.after, data)
	}
	if len(s.buffer) == 0 {
		return nil
	}
	s.deadline(time.Now().Add(writeTimeout)) // of the connection: no injected clock rules it
	_, err := s.to.Write(s.buffer)
	s.buffer = s.buffer[:0]
	if err == nil {
		err = s.flush.Flush()
	}
	return err
}

// close leaves the connection to other requests as it was.
func (s *stream) close() { s.deadline(time.Time{}) }

func (s *stream) deadline(at time.Time) {
	_ = s.flush.SetWriteDeadline(at) // where there are none, the server has its own bounds
}

// every ticks by the system's clock.
func every(d time.Duration) (tick <-chan time.Time, stop func()) {
	ticker := time.NewTicker(d)
	return ticker.C, ticker.Stop
}
