package tracker

// What a division or its undoing does with single records.

// tell records the end of a session as if at a moment of before, when it was
// told first, or now.
func (w *work) tell(home id, s *session, at int64) error {
	now := w.now
	w.now = fromMillis(min(at, millis(now)))
	defer func() { w.now = now }()
	return w.conclude(home, s)
}

// collect makes a session one that ends by itself when it is due, whoever has
// another one open.
func (w *work) collect(s *session, due int64) error {
	if err := w.uncollect(s); err != nil {
		return err
	}
	s.late, s.end, s.due = true, 0, due
	s.queued = max(due, millis(w.now))
	return w.tx.Put(queueKey(s.queued, dueLate, lateRef(s)), present)
}

// uncollect takes a session that is being collected out of the queue.
func (w *work) uncollect(s *session) error {
	if !s.collecting() || s.queued == 0 {
		return nil
	}
	err := w.tx.Delete(queueKey(s.queued, dueLate, lateRef(s)))
	s.queued = 0
	return err
}

// closeQueue takes the open session from a profile.
func (w *work) closeQueue(p *profile) error {
	err := w.tx.Delete(queueKey(p.open.queued, dueSession, idRef(p.account, p.id)))
	p.open, p.dirty = openSession{}, true
	return err
}

// forget removes a record of a session and what was told of its start.
func (w *work) forget(s *session) error {
	if err := w.uncollect(s); err != nil {
		return err
	}
	delete(w.sessions, s.ref())
	key, _, err := w.recall(s.home, s.start, seqStarted, s.id)
	if err != nil {
		return err
	}
	if key != nil {
		if err := w.tx.Delete(key); err != nil {
			return err
		}
	}
	return w.tx.Delete(s.key())
}
