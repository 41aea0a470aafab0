package tracker

// session is one activity session in its timeline. It is written when the
// session starts and when it ends; between, the hot record of its owner knows.
type session struct {
	account Account
	home    id // the timeline it stands under
	start   int64
	id      id

	last  int64
	end   int64 // 0 while it is open
	count uint64
	utm   utm
	// late marks a back-dated session of late events; due is when it counts as
	// complete, and queued the deadline of its entry in the queue (B13).
	late   bool
	due    int64
	queued int64
	part   uint64 // which part it is of a session that an undone merge has divided (B18)
}

// The parts of a divided session: the record that was there, and one that was
// made. What was divided once is marked for good, since some part of it may
// stand elsewhere.
const (
	partFirst = 1
	partTwin  = 2
)

// sessionRef names a session record. An undone merge may leave two parts of a
// session under one id, each in a timeline of its own (B18).
type sessionRef struct{ home, id id }

func (s *session) ref() sessionRef { return sessionRef{s.home, s.id} }

// collecting says that a late session still takes further events.
func (s *session) collecting() bool { return s.late && s.end == 0 }

func (s *session) key() []byte { return sessionKey(s.account, s.home, s.start, s.id) }

// until is the end of a session, the recorded one or the one it would have.
func (s *session) until(timeout int64) int64 {
	if s.end != 0 {
		return s.end
	}
	return s.last + timeout
}

func (s *session) encode() []byte {
	e := newEncoder(96)
	e.int(1, s.last)
	e.int(2, s.end)
	e.uint(3, s.count)
	e.nested(4, s.utm.encode)
	e.bool(5, s.late)
	e.int(6, s.due)
	e.int(7, s.queued)
	e.uint(8, s.part)
	return e.b
}

func decodeSession(a Account, key, value []byte) (*session, error) {
	s := &session{account: a}
	var err error
	if s.home, s.start, s.id, err = parseSessionKey(key); err != nil {
		return nil, err
	}
	var inner error
	err = decodeValue(value, func(f field) {
		switch f.number {
		case 1:
			s.last = f.int()
		case 2:
			s.end = f.int()
		case 3:
			s.count = f.value
		case 4:
			var u *utm
			u, inner = decodeUTM(f.data)
			s.utm = *u
		case 5:
			s.late = f.bool()
		case 6:
			s.due = f.int()
		case 7:
			s.queued = f.int()
		case 8:
			s.part = f.value
		}
	})
	return s, firstError(err, inner)
}
