package tracker

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// ChatReport is what a site's back end says of a chat that started (B9 f): it
// knows of it from the platform's webhook, say, where a page saw nothing.
type ChatReport struct {
	Device string // value of the device cookie of the browser it started in
	Token  string // a Live Chat token when the user is authenticated, else ""
	// SID is the site's own id of the session, 1 to 50 characters, by which it
	// can be invalidated. "" keeps that of a running session or makes one.
	SID       string
	RequestID string // recorded with the merge
}

// maxSessionID is the platform's limit of a sid, in characters.
const maxSessionID = 50

// isSessionID says whether a token could name this sid.
func isSessionID(sid string) bool {
	return utf8.ValidString(sid) && utf8.RuneCountInString(sid) <= maxSessionID
}

// ErrBadSessionID is returned for a sid of more than 50 characters, or not of
// UTF-8.
var ErrBadSessionID = errors.New("tracker: sid is longer than 50 characters, or not of UTF-8")

// ErrBadToken is returned for a token that does not authenticate; the wrapped
// error says why, without the token's content.
var ErrBadToken = errors.New("tracker: the token is not valid")

// ReportChat starts the Live Chat session of a device, or authenticates it,
// and returns its sid. The browser gets its cookie with its next call. A
// device cookie that this server did not issue, or replaced more than a minute
// ago, and a widget that is not configured answer ErrNotFound.
func (s *Service) ReportChat(ctx context.Context, a Account, widgetID string, report ChatReport) (sid string, err error) {
	account, err := s.widgetOf(a, widgetID)
	if err != nil {
		return "", err
	}
	if !isSessionID(report.SID) {
		return "", ErrBadSessionID
	}
	ids, err := newIDSource(s.random)
	if err != nil {
		return "", err
	}
	now, err := s.moment(ctx)
	if err != nil {
		return "", err
	}
	req := &Request{Account: a, ID: report.RequestID, ReceivedAt: now, SentAt: now, DeviceTokens: []string{report.Device}}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		ids.restart()
		w := newWork(s, tx, req, account, ids)
		w.unseen = true
		var err error
		if sid, err = w.reported(widgetID, report); err != nil {
			return err
		}
		return w.flush()
	})
	return sid, err
}

func (w *work) reported(widgetID string, report ChatReport) (sid string, err error) {
	d, since, err := w.deviceAt(hashKey(tableToken, w.req.Account, digestOf(report.Device)))
	if err != nil {
		return "", err
	}
	if d == nil || w.pastUse(d, since) {
		return "", ErrNotFound
	}
	w.device = d
	if err := w.retireOverdue(); err != nil {
		return "", err
	}
	c, err := w.boundChat()
	if err != nil {
		return "", err
	}
	switch {
	case report.Token != "":
		c, err = w.reportedToken(widgetID, report.Token)
	case c == nil:
		c, err = w.startChat(widgetID, "")
	}
	if err != nil {
		return "", err
	}
	if report.SID != "" || c.sid == "" {
		c.widget, c.sid, c.dirty = widgetID, orElse(report.SID, w.ids.token()), true
		c.issued = millis(w.now.Add(w.clock.Ahead())) // by the clock that invalidations go by
	}
	return c.sid, nil
}

func (w *work) reportedToken(widgetID, token string) (*chat, error) {
	claims, invalid, err := w.verify(token)
	switch {
	case err != nil:
		return nil, err
	case invalid != nil:
		return nil, fmt.Errorf("%w: %w", ErrBadToken, invalid)
	case claims.WidgetID != widgetID:
		return nil, fmt.Errorf("%w: it is of another widget", ErrBadToken)
	}
	return w.authenticate(claims, "")
}

// InvalidateSession ends every Live Chat session of this sid that was
// authenticated by a token issued until now, or reported until now. A device
// bound to one finds out with its next call. An sid that is not known yet is
// invalidated as well: its token may be on its way. A widget that is not
// configured answers ErrNotFound, a wrong sid ErrBadSessionID.
func (s *Service) InvalidateSession(ctx context.Context, a Account, widgetID, sid string) error {
	if _, err := s.widgetOf(a, widgetID); err != nil {
		return err
	}
	if sid == "" || !isSessionID(sid) {
		return ErrBadSessionID
	}
	now := s.now().Add(s.clock.Ahead()) // tokens were issued by the clocks of others
	v := invalidation{at: millis(now), due: millis(now.Add(s.invalidationLife()))}
	return s.store.Update(ctx, func(tx store.Tx) error {
		return putInvalidation(tx, invalidationKey(a, widgetID, sid), v)
	})
}

// widgetOf is the account of a configured widget.
func (s *Service) widgetOf(a Account, widgetID string) (AccountConfig, error) {
	account, ok := s.configOf(a)
	if !ok {
		return AccountConfig{}, ErrUnknownAccount
	}
	if account.Tokens == nil {
		return AccountConfig{}, ErrNotFound
	}
	if _, known := account.Tokens.Widget(widgetID); !known {
		return AccountConfig{}, ErrNotFound
	}
	return account, nil
}
