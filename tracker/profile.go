package tracker

// kind is what a profile is.
type kind byte

const (
	kindVisitor       kind = 1
	kindLead          kind = 2
	kindAuthenticated kind = 3
)

// profile is the hot record of a visitor or person, and the guard of all its
// aggregates: every operation on its sessions, events, properties and merges
// reads and writes it. It is rewritten at most once a request. That of a living
// visitor stands within the record of its device, see visitorrecord.go.
type profile struct {
	id       id
	account  Account
	kind     kind
	customer bool // of platform type CUSTOMER

	mergedInto id // the person this visitor became part of; zero while it lives
	mergePoint int64
	created    int64
	modified   int64
	activity   int64 // time of the last activity, 0 when there was none

	open    openSession
	device  id    // a visitor's only device
	expiry  int64 // deadline of a visitor's entry in the queue, 0 when none
	listed  byte  // listing state of a person, 0 when not listed
	listing int64 // the time it is listed under

	subjectType, subject string

	erasing  int64  // when it was erased; it is gone for everybody, and removed piece by piece (B33)
	absorbed uint64 // leads that are part of this person, with their properties
	extras   extras // what else may be stored of a person

	place  id      // the device whose record holds this one, where only that was read
	within *device // that device, nil when the record stands by itself
	dirty  bool
}

// extras are the tables in which a person may have entries that most have not:
// so nobody has to look there for them.
type extras uint64

const (
	extrasNoted extras = 1 << iota // otherwise nothing is known
	extraItems                     // items of list attributes
	extraLinks                     // links with other persons
)

// may says whether a person may have entries of a kind.
func (e extras) may(kind extras) bool { return e&extrasNoted == 0 || e&kind != 0 }

// openSession is the current activity session; a zero id means there is none.
type openSession struct {
	id     id
	home   id // the timeline its record stands under: another one after a merge
	start  int64
	last   int64
	queued int64 // deadline of its entry in the queue, never later than its true one
	count  uint64
	// bare says that the session's record holds nothing that is not here as
	// well, a campaign for one: to end the session it need not be read.
	bare bool
}

// holds says that s is the open session of p.
func (p *profile) holds(s *session) bool { return p.open.id == s.id && p.open.home == s.home }

func (p *profile) person() bool {
	return p.kind != kindVisitor && p.mergedInto.zero() && p.erasing == 0
}

func (p *profile) platformType() PersonType {
	if p.customer {
		return TypeCustomer
	}
	return TypeLead
}

// updatable says whether the SDK may change properties: profiles of platform
// type LEAD only (specification, updatePerson).
func (p *profile) updatable() bool { return p.person() && !p.customer }

func (p *profile) encode() []byte {
	e := newEncoder(192)
	p.encodeTo(e, p.device)
	return e.b
}

// encodeTo leaves the device to the caller: a record within it goes without.
func (p *profile) encodeTo(e *encoder, device id) {
	e.uint(1, uint64(p.kind))
	e.bool(2, p.customer)
	e.id(3, p.mergedInto)
	e.int(4, p.mergePoint)
	e.int(5, p.created)
	e.int(6, p.modified)
	e.int(7, p.activity)
	e.id(8, device)
	e.int(9, p.expiry)
	e.uint(10, uint64(p.listed))
	e.int(11, p.listing)
	e.string(12, p.subjectType)
	e.string(13, p.subject)
	e.int(14, p.erasing)
	e.uint(15, p.absorbed)
	e.uint(16, uint64(p.extras))
	if !p.open.id.zero() {
		e.id(20, p.open.id)
		if p.open.home != p.id {
			e.id(21, p.open.home)
		}
		e.int(22, p.open.start)
		e.int(23, p.open.last)
		e.int(24, p.open.queued)
		e.uint(25, p.open.count)
		e.bool(26, p.open.bare)
	}
}

func decodeProfile(a Account, i id, value []byte) (*profile, error) {
	p := &profile{id: i, account: a}
	err := decodeValue(value, p.take)
	p.settled()
	return p, err
}

// settled completes what a record leaves out.
func (p *profile) settled() {
	if !p.open.id.zero() && p.open.home.zero() {
		p.open.home = p.id
	}
}

func (p *profile) take(f field) {
	switch f.number {
	case 1:
		p.kind = kind(f.value)
	case 2:
		p.customer = f.bool()
	case 3:
		p.mergedInto = f.id()
	case 4:
		p.mergePoint = f.int()
	case 5:
		p.created = f.int()
	case 6:
		p.modified = f.int()
	case 7:
		p.activity = f.int()
	case 8:
		p.device = f.id()
	case 9:
		p.expiry = f.int()
	case 10:
		p.listed = byte(f.value)
	case 11:
		p.listing = f.int()
	case 12:
		p.subjectType = f.string()
	case 13:
		p.subject = f.string()
	case 14:
		p.erasing = f.int()
	case 15:
		p.absorbed = f.value
	case 16:
		p.extras = extras(f.value)
	case 20:
		p.open.id = f.id()
	case 21:
		p.open.home = f.id()
	case 22:
		p.open.start = f.int()
	case 23:
		p.open.last = f.int()
	case 24:
		p.open.queued = f.int()
	case 25:
		p.open.count = f.value
	case placeField:
		p.place = f.id()
	case 26:
		p.open.bare = f.bool()
	}
}
