package tracker

import "github.com/livechat-people/caddy-people-tracking/store"

// expect reads at once what is about to be read, where each read is a round trip.
func (r *reading) expect(what func() ([][]byte, []store.Range)) (err error) {
	r.Reader, err = store.Ahead(r.Reader, what)
	return err
}

// expectRecords is expect for the hot records of profiles.
func (r *reading) expectRecords(count int, of func(n int) id) error {
	return r.expect(func() (keys [][]byte, _ []store.Range) {
		for n := range count {
			keys = append(keys, idKey(tableProfile, r.account, of(n)))
		}
		return keys, nil
	})
}

// expectPortraits is expect for what portray reads of persons.
func (r *reading) expectPortraits(persons []*profile) error {
	return r.expect(func() (_ [][]byte, ranges []store.Range) {
		for _, p := range persons {
			all := func(table byte) {
				ranges = append(ranges, prefixRange(idKey(table, r.account, p.id), store.MaxScan))
			}
			all(tableAttribute)
			if p.absorbed != 0 {
				all(tableMember)
			}
			if p.extras.may(extraItems) {
				all(tableItem)
			}
			if p.extras.may(extraLinks) {
				all(tableLink)
			}
		}
		return nil, ranges
	})
}
