package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

var scans = map[string]func(*testing.T, store.Store){
	"ok/scan bounds and directions": func(t *testing.T, s store.Store) {
		fill(t, s, 10)
		for name, c := range map[string]struct {
			r    store.Range
			want []int
		}{
			"all":                {store.Range{Limit: 100}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
			"all reverse":        {store.Range{Limit: 100, Reverse: true}, []int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
			"from is in, to out": {store.Range{From: key(2), To: key(5), Limit: 100}, []int{2, 3, 4}},
			"reverse likewise":   {store.Range{From: key(2), To: key(5), Limit: 100, Reverse: true}, []int{4, 3, 2}},
			"bounds not stored":  {store.Range{From: []byte("k0000025"), To: []byte("k0000055"), Limit: 100}, []int{3, 4, 5}},
			"reverse not stored": {store.Range{From: []byte("k0000025"), To: []byte("k0000055"), Limit: 100, Reverse: true}, []int{5, 4, 3}},
			"limit":              {store.Range{From: key(2), Limit: 2}, []int{2, 3}},
			"reverse limit":      {store.Range{To: key(8), Limit: 2, Reverse: true}, []int{7, 6}},
			"empty range":        {store.Range{From: key(5), To: key(5), Limit: 9}, nil},
			"upside down":        {store.Range{From: key(6), To: key(5), Limit: 9}, nil},
			"behind the last":    {store.Range{From: []byte("z"), Limit: 9}, nil},
			"before the first":   {store.Range{To: []byte("a"), Limit: 9, Reverse: true}, nil},
			"other prefix":       {store.Range{From: []byte("l"), To: []byte("m"), Limit: 9, Reverse: true}, nil},
			"to beyond all":      {store.Range{From: key(8), To: []byte("\xff\xff"), Limit: 9, Reverse: true}, []int{9, 8}},
		} {
			for _, keysOnly := range []bool{false, true} {
				c.r.KeysOnly = keysOnly
				assert.Equal(t, entries(c.want, keysOnly), scan(t, s, c.r), "%s, in a view, keys only %t", name, keysOnly)
				update(t, s, func(tx store.Tx) error {
					got, err := tx.Scan(c.r)
					if err == nil {
						assert.Equal(t, entries(c.want, keysOnly), got, "%s, in an update, keys only %t", name, keysOnly)
					}
					return err
				})
			}
		}
	},
	"ok/scan sees own writes": func(t *testing.T, s store.Store) {
		fill(t, s, 40)
		update(t, s, func(tx store.Tx) error { return checkOwnScans(t, tx, 40) })
	},
	"ok/scan behind many deleted keys": func(t *testing.T, s store.Store) {
		fill(t, s, 300)
		update(t, s, func(tx store.Tx) error {
			for i := range 299 {
				if err := tx.Delete(key(i)); err != nil {
					return err
				}
			}
			up, err := tx.Scan(store.Range{Limit: 1})
			if err != nil {
				return err
			}
			assert.Equal(t, entries([]int{299}, false), up)
			if err := tx.Delete(key(299)); err != nil {
				return err
			}
			if err := tx.Put(key(0), value(0)); err != nil {
				return err
			}
			down, err := tx.Scan(store.Range{Limit: 1, Reverse: true})
			assert.Equal(t, entries([]int{0}, false), down)
			return err
		})
		assert.Equal(t, entries([]int{0}, false), scan(t, s, store.Range{Limit: 9}))
	},
	"ok/scan of rewritten and deleted keys": func(t *testing.T, s store.Store) {
		random := rand.New(rand.NewPCG(3, 4))
		model := map[string]string{}
		for round := range 30 {
			for step := range 4 {
				k, v := key(random.IntN(12)), fmt.Sprintf("%d.%d", round, step)
				remove := random.IntN(2) == 0
				update(t, s, func(tx store.Tx) error {
					if remove {
						return tx.Delete(k)
					}
					return tx.Put(k, []byte(v))
				})
				if model[string(k)] = v; remove {
					delete(model, string(k))
				}
			}
			for range 10 {
				r := store.Range{From: key(random.IntN(8)), Reverse: random.IntN(2) == 0, Limit: 1 + random.IntN(12)}
				if random.IntN(3) > 0 {
					r.To = key(random.IntN(14))
				}
				assert.Equal(t, expected(model, r), scan(t, s, r), "round %d, %q", round, r)
			}
		}
	},
	"ok/what is read ahead is what is read": func(t *testing.T, s store.Store) {
		fill(t, s, 30)
		put(t, s, key(7), nil)
		keys := [][]byte{key(3), key(7), key(99), key(3)}
		ranges := []store.Range{{From: key(5), To: key(9), Limit: 9}, {From: key(5), Limit: 2, Reverse: true}, {Limit: 3, KeysOnly: true}}
		require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
			ahead, err := store.Ahead(r, func() ([][]byte, []store.Range) { return keys, ranges })
			require.NoError(t, err)
			for _, k := range append(keys, key(4)) {
				want, err := r.Get(k)
				require.NoError(t, err)
				got, err := ahead.Get(k)
				require.NoError(t, err)
				assert.Equal(t, want, got, "%s", k)
			}
			for _, some := range append(ranges, store.Range{From: key(20), Limit: 4}) {
				want, err := r.Scan(some)
				require.NoError(t, err)
				got, err := ahead.Scan(some)
				require.NoError(t, err)
				assert.NotEmpty(t, got)
				assert.Equal(t, want, got, "%q", some)
			}
			return nil
		}))
	},
	"ok/full scan": func(t *testing.T, s store.Store) {
		fill(t, s, 2*store.MaxScan+10)
		got := scan(t, s, store.Range{Limit: store.MaxScan})
		assert.Len(t, got, store.MaxScan)
		assert.Equal(t, key(0), got[0].Key)
		got = scan(t, s, store.Range{Limit: store.MaxScan, Reverse: true})
		assert.Len(t, got, store.MaxScan)
		assert.Equal(t, key(2*store.MaxScan+9), got[0].Key)
	},
}

func entries(numbers []int, keysOnly bool) []store.Entry {
	var out []store.Entry
	for _, n := range numbers {
		e := store.Entry{Key: key(n), Value: value(n)}
		if keysOnly {
			e.Value = nil
		}
		out = append(out, e)
	}
	return out
}

// checkOwnScans writes at random, from a fixed seed because fn is repeatable,
// and compares scans with a model.
func checkOwnScans(t *testing.T, tx store.Tx, n int) error {
	random := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	for i := range n {
		model[string(key(i))] = string(value(i))
	}
	for step := range 200 {
		k := key(random.IntN(2 * n))
		switch random.IntN(4) {
		case 0:
			delete(model, string(k))
			if err := tx.Delete(k); err != nil {
				return err
			}
		case 1:
			v := fmt.Sprintf("own%d", step)
			model[string(k)] = v
			if err := tx.Put(k, []byte(v)); err != nil {
				return err
			}
		case 2:
			if err := tx.Lock(k); err != nil {
				return err
			}
		}
		r := store.Range{From: key(random.IntN(n)), Reverse: random.IntN(2) == 0, Limit: 1 + random.IntN(20)}
		if random.IntN(4) > 0 {
			r.To = key(random.IntN(3 * n))
		}
		got, err := tx.Scan(r)
		if err != nil {
			return err
		}
		if !assert.Equal(t, expected(model, r), got, "step %d, %q", step, r) {
			return nil
		}
	}
	return nil
}

// expected is what a scan of the model gives.
func expected(model map[string]string, r store.Range) []store.Entry {
	var out []store.Entry
	for k, v := range model {
		if k >= string(r.From) && (r.To == nil || k < string(r.To)) {
			out = append(out, store.Entry{Key: []byte(k), Value: []byte(v)})
		}
	}
	slices.SortFunc(out, func(a, b store.Entry) int {
		if r.Reverse {
			a, b = b, a
		}
		return bytes.Compare(a.Key, b.Key)
	})
	if len(out) > r.Limit {
		out = out[:r.Limit]
	}
	return out
}
