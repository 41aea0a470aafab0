package store_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// Whatever the size of a page, a walk meets what lies in the range, once and in
// order; also when the keys are changed by whoever gets them.
func TestEntries(t *testing.T) {
	s := filled(t, 12)
	var all []store.Entry
	require.NoError(t, s.View(ctx, func(r store.Reader) (err error) {
		all, err = r.Scan(store.Range{Limit: store.MaxScan})
		return err
	}))
	require.Len(t, all, 12)
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	for name, c := range map[string]struct {
		of   store.Range
		want []store.Entry
	}{
		"all":             {store.Range{}, all},
		"backwards":       {store.Range{Reverse: true}, reversed},
		"a part":          {store.Range{From: all[3].Key, To: all[9].Key}, all[3:9]},
		"a part, back":    {store.Range{From: all[3].Key, To: all[9].Key, Reverse: true}, reversed[3:9]},
		"nothing in it":   {store.Range{From: []byte("x")}, nil},
		"no range at all": {store.Range{From: all[9].Key, To: all[3].Key}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, page := range []int{0, 1, 2, 3, 5, 6, 12, 13} {
				c.of.Limit = page
				var got []store.Entry
				require.NoError(t, s.View(ctx, func(r store.Reader) error {
					for e, err := range store.Entries(r, c.of) {
						if err != nil {
							return err
						}
						got = append(got, store.Entry{Key: slices.Clone(e.Key), Value: e.Value})
						clear(e.Key)
					}
					return nil
				}))
				assert.Equal(t, c.want, got, "%d at a time", page)
			}
		})
	}
}

// A walk reads no further than it is asked to, and ends with the first error.
func TestEntriesEnds(t *testing.T) {
	s, gone := filled(t, 12), errors.New("gone")
	require.NoError(t, s.View(ctx, func(r store.Reader) error {
		for _, last := range []int{0, 4, 5, 9} { // 5 at a time
			limited := &limitedReader{Reader: r, left: last/5 + 1, err: gone}
			met := 0
			for _, err := range store.Entries(limited, store.Range{Limit: 5}) {
				require.NoError(t, err)
				if met++; met == last+1 {
					break
				}
			}
			assert.Equal(t, last+1, met)
		}
		met, failed := 0, []error(nil)
		for e, err := range store.Entries(&limitedReader{Reader: r, left: 1, err: gone}, store.Range{Limit: 5}) {
			if err != nil {
				assert.Empty(t, e)
				failed = append(failed, err)
				continue
			}
			met++
		}
		assert.Equal(t, 5, met)
		assert.Equal(t, []error{gone}, failed)
		return nil
	}))
}

// limitedReader fails after some scans.
type limitedReader struct {
	store.Reader
	left int
	err  error
}

func (l *limitedReader) Scan(r store.Range) ([]store.Entry, error) {
	if l.left--; l.left < 0 {
		return nil, l.err
	}
	return l.Reader.Scan(r)
}
