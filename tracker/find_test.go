package tracker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// searched is what a search gives, read in pages.
func (w *world) searched(q PersonQuery, most effort) (ids []id, partial bool) {
	w.t.Helper()
	require.NoError(w.t, w.service.read(context.Background(), DefaultAccount, func(r *reading) error {
		ids = nil
		for cursor := ""; ; {
			q.Cursor = cursor
			found, next, some, err := r.search(searchWords(q.Text), q, most)
			if err != nil {
				return err
			}
			require.LessOrEqual(w.t, len(found), q.Limit)
			for _, p := range found {
				ids = append(ids, p.id)
			}
			partial = some
			if cursor = next; cursor == "" {
				return nil
			}
		}
	}))
	return ids, partial
}

// scanned is who has all words of a query, by looking at everybody: at what is
// stored of each person and of the leads that became part of it.
func (w *world) scanned(q PersonQuery) (ids []id) {
	w.t.Helper()
	people, texts := map[id]*profile{}, map[id][]string{}
	for _, e := range w.everything() {
		if e.Key[0] == tableProfile {
			people[keyID(e.Key, 3)] = w.profileAt(e)
		}
	}
	owner := func(i id) id {
		for people[i] != nil && !people[i].mergedInto.zero() {
			i = people[i].mergedInto
		}
		return i
	}
	for _, e := range w.everything() {
		if e.Key[0] != tableAttribute {
			continue
		}
		var list []string
		switch name := string(e.Key[idKeySize:]); name {
		case "firstName", "lastName":
			list = []string{""}
			require.NoError(w.t, json.Unmarshal(e.Value, &list[0]))
		case fieldTags, fieldEmail, fieldPhone:
			require.NoError(w.t, json.Unmarshal(e.Value, &list))
		}
		i := owner(keyID(e.Key, 3))
		for _, text := range list {
			text = strings.ToLower(text)
			texts[i] = append(texts[i], append(strings.Split(text, " "), strings.Split(text, "@")...)...)
		}
	}
	for i, p := range people {
		if p.subject != "" {
			texts[i] = append(texts[i], p.subject)
			texts[i] = append(texts[i], strings.Split(p.subject, "@")...)
		}
	}
	for i, p := range people {
		if !p.person() || q.Type != "" && p.platformType() != q.Type {
			continue
		}
		missing := slices.DeleteFunc(strings.Fields(strings.ToLower(q.Text)), func(word string) bool {
			return slices.ContainsFunc(texts[i], func(text string) bool {
				if strings.Trim(text, "0123456789") == "" { // a phone number
					return len(word) >= minDigits && (strings.HasPrefix(text, word) || strings.HasSuffix(text, word))
				}
				return strings.HasPrefix(text, word)
			})
		})
		if len(missing) == 0 {
			ids = append(ids, i)
		}
	}
	slices.SortFunc(ids, func(a, b id) int { return people[a].position().compare(people[b].position()) })
	return ids
}

// TestSearchIsAScan: whatever is asked for, a search finds whom one finds who
// looks at everybody, or says that it did not look at all of them.
func TestSearchIsAScan(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, kind := range []string{"memory", "badger"} {
		t.Run(kind, func(t *testing.T) {
			st := modelStores[kind](t)()
			t.Cleanup(func() { require.NoError(t, st.Close()) })
			random := rand.New(rand.NewPCG(seed, 1))
			w := newWorldOn(t, st, absorbing)
			words := w.crowdOf(random, 60)
			met := map[bool]int{}
			for range 300 {
				var text []string
				for range 1 + random.IntN(3) {
					word := words[random.IntN(len(words))]
					text = append(text, word[:1+random.IntN(len(word))])
				}
				q := PersonQuery{Text: strings.Join(text, " "), Limit: 1 + random.IntN(20)}
				q.Type = []PersonType{"", TypeLead, TypeCustomer}[random.IntN(3)]
				want := w.scanned(q)
				got, partial := w.searched(q, usualEffort)
				assert.Equal(t, want, got, q.Text)
				assert.False(t, partial, q.Text)

				little := effort{1 + random.IntN(10), 1 + random.IntN(20), 1 + random.IntN(60), 1 + random.IntN(8)}
				got, partial = w.searched(q, little)
				if met[partial]++; !partial {
					assert.Equal(t, want, got, "%s with %+v", q.Text, little)
				}
				assert.Subset(t, want, got, "%s with %+v", q.Text, little)
				assert.LessOrEqual(t, len(got), little.found)
			}
			assert.Greater(t, met[true], 20)
			assert.Greater(t, met[false], 20)
			assert.Empty(t, w.problems())
		})
	}
}

// crowdOf makes people of a few names, some of whom absorbed leads or are
// customers, and returns the words by which they can be found.
func (w *world) crowdOf(random *rand.Rand, n int) []string {
	first, last := []string{"Anna", "Annabel", "Bert", "Berta"}, []string{"Horvat", "Horvath", "Anna", "Novak"}
	tags := []string{"anna fan", "bike", "bikes", "novak"}
	one := func(of []string) string { return of[random.IntN(len(of))] }
	for i := range n {
		b := w.lead(fmt.Sprint("b", i))
		address := fmt.Sprintf("%s%d@%s.example", strings.ToLower(one(first)), i%7, strings.ToLower(one(last)))
		b.must(MethodUpdatePerson, m{
			"firstName": one(first), "lastName": one(last), "tags": []string{one(tags)},
			"contactInformation": m{"email": []m{{"address": address}}, "phone": []m{{"number": fmt.Sprint(38591000+i*37, "123")}}},
		})
		w.now = w.now.Add(time.Minute)
		switch i % 4 {
		case 0: // the lead becomes part of somebody who has other words
			b.authenticate(w.token("email", fmt.Sprintf("%s%d@bike.example", strings.ToLower(one(last)), i), fromWidget(leadsID)))
			b.must(MethodUpdatePerson, m{"lastName": one(last)})
		case 1:
			b.authenticate(w.token("externalPersonId", "novak-"+fmt.Sprint(i)))
		}
	}
	return []string{"anna", "annabel", "berta", "horvath", "novak-1", "bikes", "fan", "anna3@horvat.example", "bike.example", "38591", "123", "7123"}
}

// TestSearchOfCommonNames: a first and a last name that more than a thousand
// have find the few who have both.
func TestSearchOfCommonNames(t *testing.T) {
	for _, kind := range []string{"memory", "badger"} {
		t.Run(kind, func(t *testing.T) {
			st := modelStores[kind](t)()
			t.Cleanup(func() { require.NoError(t, st.Close()) })
			w := newWorldOn(t, st)
			const each = 1500
			var people []store.Entry
			for i := range 2 * each {
				name := []string{"Anna", fmt.Sprint("Kralj", i)}
				switch {
				case i%1000 == 7: // three of them
					name[1] = "Horvat"
				case i >= each:
					name = []string{fmt.Sprint("Marko", i), "Horvat"}
				}
				people = append(people, w.planted(i, name[0], name[1])...)
			}
			for some := range slices.Chunk(people, 500) {
				w.change(some...)
			}
			require.Empty(t, w.problems())
			search := func(text string) PersonPage {
				page, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Text: text})
				require.NoError(t, err)
				return page
			}
			for _, text := range []string{"Anna Horvat", "horvat anna", "anna horv", "ann horvat"} {
				page := search(text)
				assert.False(t, page.Partial, text)
				var got []string
				for _, p := range page.Persons {
					got = append(got, p.FirstName+" "+p.LastName)
				}
				assert.Equal(t, []string{"Anna Horvat", "Anna Horvat", "Anna Horvat"}, got, text)
			}
			assert.Len(t, search("anna kralj1499").Persons, 1)
			page := search("anna")
			assert.True(t, page.Partial, "more than are sorted")
			assert.Len(t, page.Persons, defaultPersons)
			assert.NotEmpty(t, page.Next)

			some, partial := w.searched(PersonQuery{Text: "anna horvat", Limit: 10}, effort{found: 1000, candidates: 5000, entries: 500, page: 100})
			assert.True(t, partial, "neither name was read to its end")
			assert.Subset(t, w.scanned(PersonQuery{Text: "anna horvat"}), some)
		})
	}
}

// planted are the entries of a lead with a name.
func (w *world) planted(n int, first, last string) []store.Entry {
	at := millis(w.now) - int64(n)
	p := &profile{kind: kindLead, created: at, modified: at, listed: listedIdle, listing: at, account: DefaultAccount}
	d := digestOf(fmt.Sprint("planted", n))
	copy(p.id[:], d[:])
	entries := []store.Entry{
		{Key: idKey(tableProfile, p.account, p.id), Value: p.encode()},
		{Key: listingKey(p.account, TypeLead, listedIdle, at, p.id), Value: present},
	}
	for name, text := range map[string]string{"firstName": first, "lastName": last} {
		value, err := json.Marshal(text)
		require.NoError(w.t, err)
		entries = append(entries, store.Entry{Key: attributeKey(p.account, p.id, name), Value: value})
		for _, e := range attributeEntries(name, value) {
			entries = append(entries, store.Entry{Key: e.key(p.account, p.id), Value: present})
		}
	}
	return entries
}
