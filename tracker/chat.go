package tracker

import "time"

// chat is a Live Chat session: from the start of a chat or an authentication
// until logout, invalidation or expiry. Its record guards which profile the
// session stands for.
type chat struct {
	id      id
	account Account
	profile id
	auth    bool // lives by the lifetime of authenticated sessions
	widget  string
	sid     string // the site's own id of the session, from the token
	issued  int64  // iat of the token it was authenticated with
	started int64
	// until says that the session was in use up to here. It is moved on in
	// steps (activeStep), so that not every call rewrites this record; a
	// session thereby lives at most a step longer than its lifetime, never less.
	until   int64
	queued  int64
	ended   int64 // 0 while it lives
	grave   int64 // deadline of its entry in the queue once it has ended
	signal  bool  // started by a signal of the page, not by a site's cookie
	cookies []chatCookie

	seenDay     int64 // the day seenDevices counts
	seenDevices []id

	dirty bool
}

// chatCookie is a cookie value the session is known by.
type chatCookie struct {
	hash digest
	site bool // the site's own, else ours
}

// Bounds of a Live Chat session.
const (
	maxChatCookies   = 32 // one per device that shares it, and the site's
	maxSharedDevices = 5  // devices a day that may present one site cookie (B3)
	activeStep       = time.Minute
	tombstoneLife    = 400 * 24 * time.Hour // how long an ended cookie value stays ended (B7)
)

func (c *chat) encode() []byte {
	e := newEncoder(192)
	e.id(1, c.profile)
	e.bool(2, c.auth)
	e.string(3, c.widget)
	e.string(4, c.sid)
	e.int(5, c.issued)
	e.int(6, c.started)
	e.int(7, c.until)
	e.int(8, c.queued)
	e.int(9, c.ended)
	e.bool(10, c.signal)
	for _, k := range c.cookies {
		e.nested(11, func(n *encoder) {
			n.bytes(1, k.hash[:])
			n.bool(2, k.site)
		})
	}
	e.int(12, c.seenDay)
	for _, d := range c.seenDevices {
		e.id(13, d)
	}
	e.int(14, c.grave)
	return e.b
}

func decodeChat(a Account, i id, value []byte) (*chat, error) {
	c := &chat{id: i, account: a}
	var inner error
	err := decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			c.profile = f.id()
		case 2:
			c.auth = f.bool()
		case 3:
			c.widget = f.string()
		case 4:
			c.sid = f.string()
		case 5:
			c.issued = f.int()
		case 6:
			c.started = f.int()
		case 7:
			c.until = f.int()
		case 8:
			c.queued = f.int()
		case 9:
			c.ended = f.int()
		case 10:
			c.signal = f.bool()
		case 11:
			k := chatCookie{}
			inner = firstError(inner, decodeFields(f.data, func(f field) {
				switch f.number {
				case 1:
					k.hash = f.digest()
				case 2:
					k.site = f.bool()
				}
			}))
			c.cookies = append(c.cookies, k)
		case 12:
			c.seenDay = f.int()
		case 13:
			c.seenDevices = append(c.seenDevices, f.id())
		case 14:
			c.grave = f.int()
		}
	})
	return c, firstError(err, inner)
}

// hasSiteCookie says whether the site's cookie of this session is known.
func (c *chat) hasSiteCookie() bool {
	for _, k := range c.cookies {
		if k.site {
			return true
		}
	}
	return false
}

func (c *chat) knows(hash digest) bool {
	for _, k := range c.cookies {
		if k.hash == hash {
			return true
		}
	}
	return false
}

// cookieRecord is what a cookie value leads to.
type cookieRecord struct {
	chat  id    // zero once it has ended: a tombstone names nobody
	ended int64 // when the value stopped to mean anything; 0 while it does
}

func (r cookieRecord) encode() []byte {
	e := newEncoder(32)
	e.id(1, r.chat)
	e.int(2, r.ended)
	return e.b
}

func decodeCookie(value []byte) (r cookieRecord, err error) {
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			r.chat = f.id()
		case 2:
			r.ended = f.int()
		}
	})
	return r, err
}
