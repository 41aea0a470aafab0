package tracker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// TestB33ErasingWhateverHappened lets browsers do what they do in the model,
// erases every person in pieces that interrupt each other, sends again what was
// sent before, and finds nothing of them.
func TestB33ErasingWhateverHappened(t *testing.T) {
	const worlds, ops = 6, 250
	for seed := *modelSeed; seed < *modelSeed+worlds; seed++ {
		st := memory.New()
		s := newSim(t, st, seed, seed%2 == 0)
		for s.step < ops && s.violation == nil {
			s.operate()
		}
		if s.violation != nil {
			s.report(t, seed)
		}
		s.now = s.now.Add(time.Second)
		s.sweep()
		theirs := map[string]bool{} // labels of persons
		for label, a := range s.oracle.recorded {
			theirs[label] = a.who.root().person()
		}
		for _, p := range s.everybody(PersonQuery{}) {
			s.erase(p.ID)
			if _, err := s.service.jobs(t.Context()); err != nil { // not all of it
				require.NoError(t, err, "seed %d", seed)
			}
		}
		s.now = s.now.Add(time.Second)
		s.sendAgain(t)
		require.NoError(t, s.service.Sweep(t.Context()))
		s.sendAgain(t)
		require.NoError(t, s.service.Sweep(t.Context()))
		require.Empty(t, s.world.problems(), "seed %d", seed)
		k, err := takeStock(st, s.at())
		require.NoError(t, err)
		for _, p := range k.profiles {
			assert.Equal(t, kindVisitor, p.kind, "seed %d", seed)
		}
		for _, e := range k.events {
			assert.False(t, theirs[e.label], "seed %d: %s is somebody's who was erased", seed, e.label)
		}
		for _, table := range []byte{tableAttribute, tableItem, tableMember, tableMerge, tableMergeOf, tableLink, tableListing, tableSearch, tableSubject, tableChat, tableJob} {
			assert.Empty(t, ofTable(s.world, table), "seed %d, table %c", seed, table)
		}
		require.NoError(t, st.Close())
	}
}

// sendAgain delivers every browser's activities once more, whatever the oracle
// thinks of it.
func (s *sim) sendAgain(t *testing.T) {
	t.Helper()
	for _, b := range s.browsers {
		for _, sent := range b.history {
			var calls []*oCall
			for _, c := range sent.calls {
				if c.label != "" {
					calls = append(calls, c)
				}
			}
			if len(calls) == 0 || s.at()-sent.at > oDay { // nothing waits longer (B35)
				continue
			}
			s.now = s.now.Add(time.Millisecond)
			r := &oRequest{now: s.at(), sent: s.at() + b.skew, device: b.device.at(s.at()), chat: b.chat.at(s.at()), boot: b.boot, calls: calls}
			_, err := s.service.Batch(context.Background(), s.request(r))
			require.NoError(t, err)
		}
	}
}
