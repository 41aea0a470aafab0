package tracker

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/store/memory"
)

// TestAheadReadsWhatIsThere: whatever is asked for, in whatever order, reading
// ahead gives what the store does.
func TestAheadReadsWhatIsThere(t *testing.T) {
	st := memory.New()
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	w := &world{t: t, store: st}
	random := rand.New(rand.NewPCG(1, 2))
	numbered := func(i int) (of id) {
		binary.BigEndian.PutUint32(of[:], uint32(i))
		return of
	}
	const profiles = 1500
	for i := range profiles {
		some := []store.Entry{{Key: idKey(tableAttribute, DefaultAccount, numbered(i)), Value: []byte{2, byte(i)}}}
		if i%3 > 0 {
			some = append(some, store.Entry{Key: idKey(tableProfile, DefaultAccount, numbered(i)), Value: []byte{1, byte(i)}})
		}
		events := []int{0, 1, 12}[random.IntN(3)]
		if i%300 == 299 {
			events = aheadPage + 20
		}
		for n := range events {
			some = append(some, store.Entry{Key: eventKey(DefaultAccount, numbered(i), int64(n), seqActivity, id{}), Value: []byte{3, byte(n)}})
		}
		w.change(some...)
	}
	pages, asked := 0, 0
	require.NoError(t, st.View(context.Background(), func(r store.Reader) error {
		c := &checker{ahead: &ahead{Reader: r}}
		same := func(of id) error {
			key := idKey(tableProfile, DefaultAccount, of)
			want, err := r.Get(key)
			require.NoError(t, err)
			got, err := c.Get(key)
			assert.Equal(t, want, got)
			events := prefixRange(idKey(tableEvent, DefaultAccount, of), 1+random.IntN(2*aheadPage))
			wanted, err2 := r.Scan(events)
			require.NoError(t, err2)
			found, err2 := c.Scan(events)
			require.NoError(t, err2)
			assert.Equal(t, len(wanted), len(found))
			for n := range wanted {
				require.Equal(t, wanted[n], found[n])
			}
			if asked++; c.tables[tableProfile].to != nil {
				pages++
			}
			return err
		}
		return c.each(prefixRange([]byte{tableAttribute}, 1), func(e store.Entry) error {
			c.key, c.current = e.Key, e
			err := same(keyID(e.Key, 3))
			if random.IntN(3) == 0 && err == nil {
				err = same(numbered(random.IntN(profiles + 5)))
			}
			return err
		})
	}))
	assert.Greater(t, pages, asked/2, "it does read ahead")
}
