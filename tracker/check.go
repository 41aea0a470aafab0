package tracker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// This file and check_*.go hold a store against the layout of its keys. Each
// table is looked at by itself, entry by entry in the order of the keys, with
// lookups of what an entry names and of what names it, so that a store of any
// size is checked in the same memory.
//
// To add a table: give it a line in tableChecks, with a function that
//
//   - takes the key apart and decodes the value, and reports what is malformed
//     with c.wrong;
//   - looks up whatever the entry points to (c.profile, c.has, …) and reports
//     what is missing;
//   - looks up whatever must point back to it, so that nothing is unreachable.
//
// An error returned is the store's, and ends the check; what is wrong with an
// entry is reported, and the check goes on. A further invariant of a table that
// is there already belongs into its function. Each invariant has a case in
// TestCheckFindsDamage, which plants the damage; the model-based tests run the
// check on everything they do.
var tableChecks = map[byte]func(*checker, store.Entry) error{
	tableProfile:   (*checker).profileEntry,
	tableAttribute: (*checker).attributeEntry,
	tableItem:      (*checker).itemEntry,
	tableEvent:     (*checker).eventEntry,
	tableSession:   (*checker).sessionEntry,
	tableMember:    (*checker).memberEntry,
	tableMerge:     (*checker).mergeEntry,
	tableMergeOf:   (*checker).mergeOfEntry,
	tableLink:      (*checker).linkEntry,
	tableReference: (*checker).referenceEntry,
	tableToken:     (*checker).tokenEntry,
	tableBoot:      (*checker).bootEntry,
	tableDevice:    (*checker).deviceEntry,
	tableCookie:    (*checker).cookieEntry,
	tableChat:      (*checker).chatEntry,
	tableInvalid:   (*checker).invalidationEntry,
	tableSubject:   (*checker).subjectEntry,
	tableDedupe:    (*checker).dedupeEntry,
	tableQueue:     (*checker).queueEntry,
	tableListing:   (*checker).listingEntry,
	tableSearch:    (*checker).searchEntry,
	tableName:      (*checker).nameEntry,
	tableSchema:    (*checker).shapeEntry,
	tableLayout:    (*checker).layoutEntry,
	tableAlive:     (*checker).aliveEntry,
	tableJob:       (*checker).jobEntry,
	tableErased:    (*checker).erasedEntry,
	tableRetention: (*checker).retentionEntry,
}

// CheckOptions say how a store is checked. The zero value holds it against
// everything that does not depend on a configuration.
type CheckOptions struct {
	// Now is the time the store is looked at. Default: the system's.
	Now time.Time
	// Lifetimes, where everything in the store was written under them: sessions
	// and deadlines are held against those that are not zero. Nothing is,
	// otherwise, since what they were in the past is not known. The activities
	// of one person are then kept in memory, 16 bytes each.
	SessionTimeout, VisitorTTL, ChatSessionTTL, AuthSessionTTL time.Duration
	// Settled says that the sweeper has just done everything that was due.
	Settled bool
	// Progress is called now and then with the entries checked so far.
	Progress func(entries uint64)
}

// Problem is one thing that is wrong with a store. It shows no person's data.
type Problem struct {
	Table   byte    // the letter of the key's table, see layout.go
	Account Account // 0 where the key is too short to tell
	Record  string  // the id the entry belongs to, in hex; "" where it has none
	Text    string  // what is wrong
}

// String is the problem in one line.
func (p Problem) String() string {
	if p.Record == "" {
		return fmt.Sprintf("table %q: %s", p.Table, p.Text)
	}
	return fmt.Sprintf("table %q, account %d, %s: %s", p.Table, p.Account, p.Record, p.Text)
}

// CheckResult is what a check came to.
type CheckResult struct {
	Entries  map[byte]uint64 // by table
	Problems uint64
}

// Total is how many entries there are.
func (r CheckResult) Total() (n uint64) {
	for _, some := range r.Entries {
		n += some
	}
	return n
}

// Check reads one snapshot of a store and reports whatever contradicts the
// layout of its keys: records that cannot be read, that name what is not there,
// or that are named by nothing. It changes nothing. The error is the store's, or
// ErrNewer; a store with problems is no error.
func Check(ctx context.Context, st store.Store, opts CheckOptions, report func(Problem)) (CheckResult, error) {
	c := &checker{
		opts: opts, now: millis(opts.Now), report: report,
		result: CheckResult{Entries: map[byte]uint64{}},
	}
	if opts.Now.IsZero() {
		c.now = millis(time.Now())
	}
	err := st.View(ctx, func(r store.Reader) error {
		c.ahead = &ahead{Reader: r}
		if err := CheckLayout(r); errors.Is(err, ErrNewer) {
			return err
		}
		return c.run(ctx)
	})
	if err != nil {
		return c.result, fmt.Errorf("checking the store: %w", err)
	}
	return c.result, nil
}

// checker is one check under way.
type checker struct {
	*ahead
	opts   CheckOptions
	now    int64
	report func(Problem)
	result CheckResult

	key []byte // of the entry that is looked at

	// The profile looked up last: the entries of one stand together.
	recent        []byte
	recentProfile *profile

	numbers    []Account // of the accounts by name
	lastNumber Account

	removing  bool  // something is being removed
	forgotten int64 // events of before may be missing

	before    *session // the one before in the table of sessions, unless late
	graves    int      // queue entries of ended Live Chat sessions
	endedSeen int      // ended Live Chat sessions

	tallies [256]tally // by table, see check_tally.go
}

// checkPage is how many entries are read at a time.
const checkPage = 200

func (c *checker) run(ctx context.Context) error {
	total := uint64(0)
	var err error
	if c.removing, err = c.anyJobs(); err != nil {
		return err
	}
	if v, err := readRetention(c); err == nil { // or reported where it stands
		c.forgotten = v.cutoff
	}
	err = c.each(store.Range{}, func(e store.Entry) error {
		if total++; total%checkPage == 0 {
			if c.opts.Progress != nil {
				c.opts.Progress(total)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return c.entry(e)
	})
	if err == nil {
		err = c.recount()
	}
	if err != nil {
		return err
	}
	if len(c.numbers) < int(c.lastNumber) {
		c.key = []byte{tableName}
		c.wrong("%d accounts were given numbers, and %d are known by name", c.lastNumber, len(c.numbers))
	}
	if c.graves > c.endedSeen {
		c.key = []byte{tableQueue}
		c.wrong("%d ended Live Chat sessions are to be forgotten, there are %d", c.graves, c.endedSeen)
	}
	return nil
}

// each calls do for every entry of a range.
func (c *checker) each(r store.Range, do func(store.Entry) error) error {
	r.Limit = checkPage
	for e, err := range store.Entries(c, r) {
		if err != nil {
			return err
		}
		if err := do(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) entry(e store.Entry) error {
	c.key, c.current = e.Key, e
	c.result.Entries[e.Key[0]]++
	check, known := tableChecks[e.Key[0]]
	if !known {
		c.wrong("no table of this version; a later one wrote it, or another program")
		return nil
	}
	if c.removing {
		if removed, err := c.beingRemoved(e); removed || err != nil {
			return err
		}
	}
	return check(c, e)
}

// wrong reports a problem of the entry that is looked at.
func (c *checker) wrong(format string, args ...any) {
	c.result.Problems++
	p := Problem{Table: c.key[0], Text: fmt.Sprintf(format, args...)}
	p.Account, p.Record = nameOf(c.key)
	c.report(p)
}

// decoded says whether a value could be read, and reports it if not.
func (c *checker) decoded(err error) bool {
	if err != nil {
		c.wrong("%v", err)
	}
	return err == nil
}
