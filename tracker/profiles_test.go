package tracker

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The rows of the specification's table "Profile selection".

func TestRow1NotStartedUsesVisitor(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.track("one")
	p := b.profile()
	assert.Equal(t, kindVisitor, p.kind)
	_, err := w.service.Person(context.Background(), DefaultAccount, p.id.String())
	require.ErrorIs(t, err, ErrNotFound, "B16: a visitor cannot be viewed")
	_, _, err = w.service.Events(context.Background(), DefaultAccount, p.id.String(), EventQuery{})
	require.ErrorIs(t, err, ErrNotFound)
	assert.Empty(t, w.persons())
}

func TestRow2ChatStartMakesLeadWithVisitorsActivity(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.track("before")
	visitor := b.profile().id
	device := b.device
	b.startChat()
	assert.NotEqual(t, device, b.device, "the cookie of the visitor is not the lead's")
	require.NotEmpty(t, b.chat)
	b.track("after")

	person := b.person()
	assert.Equal(t, TypeLead, person.Type)
	assert.NotEqual(t, visitor.String(), person.ID)
	assert.Equal(t, []string{
		"10:00 sessionStarted", "10:00 pageView", "10:00 action before", "10:00 personMerged", "10:00 action after",
	}, w.story(person.ID))
	events := w.timeline(person.ID)
	require.NotNil(t, events[1].MergedFrom, "B17: says why it is here")
	assert.Equal(t, visitor.String(), events[1].MergedFrom.ProfileID)
	assert.Nil(t, events[4].MergedFrom)
	assert.Equal(t, events[0].SessionID, events[4].SessionID, "B12: the open session went along")

	merges, err := w.service.Merges(context.Background(), DefaultAccount, person.ID)
	require.NoError(t, err)
	require.Len(t, merges, 1)
	assert.Equal(t, "chat started", merges[0].Reason)
	assert.Equal(t, events[1].MergedFrom.MergeID, merges[0].ID)
}

func TestRow3AuthenticatedAfterChatUsesAuthenticatedProfile(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.startChat()
	b.track("as lead")
	lead := b.person()
	planted := b.chat
	b.authenticate(w.token("email", "Anna@Example.com"))
	assert.NotEqual(t, planted, b.chat, "the cookie from before the authentication is not the one after it")
	b.track("as customer")

	customer := b.person()
	assert.Equal(t, TypeCustomer, customer.Type)
	assert.Equal(t, "anna@example.com", customer.Subject)
	assert.Equal(t, []string{"10:00 sessionStarted", "10:00 action as customer"}, w.story(customer.ID))
	assert.Equal(t, []string{
		"10:00 sessionStarted", "10:00 pageView", "10:00 personMerged", "10:00 action as lead",
	}, w.story(lead.ID), "B6: the lead stays with its timeline")
	require.Len(t, customer.Links, 1)
	assert.Equal(t, lead.ID, customer.Links[0].PersonID)
	assert.Len(t, w.persons(), 2)
	merges, err := w.service.Merges(context.Background(), DefaultAccount, customer.ID)
	require.NoError(t, err)
	assert.Empty(t, merges, "B6: no automatic merge of two persons, ever")
}

func TestRow4AuthenticatedWithoutChatMergesVisitor(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.authenticate(w.token("externalPersonId", "A-17"))
	b.track("after")
	person := b.person()
	assert.Equal(t, TypeCustomer, person.Type)
	assert.Equal(t, "A-17", person.ExternalID)
	assert.Equal(t, []string{
		"10:00 sessionStarted", "10:00 pageView", "10:00 personMerged", "10:00 action after",
	}, w.story(person.ID))
	assert.Len(t, w.persons(), 1)
}

func TestRow5TerminatedSessionMakesNewVisitor(t *testing.T) {
	ends := map[string]func(*world, *browser){
		"logout": func(_ *world, b *browser) { b.logout() },
		"invalidation": func(w *world, b *browser) {
			require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "site-session-1"))
		},
		"expiration":     func(w *world, _ *browser) { w.pass(DefaultAuthSessionTTL + activeStep) },
		"cookie is gone": func(w *world, b *browser) { b.track("with cookie"); w.pass(time.Second); b.chat = "" },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := w.browser("anna")
			b.open()
			b.authenticate(w.token("email", "anna@example.com", withSID("site-session-1")))
			person := b.person()
			device := b.device
			end(w, b)
			b.epoch = "" // a page opened afterwards
			b.open()
			p := b.profile()
			assert.Equal(t, kindVisitor, p.kind)
			assert.NotEqual(t, device, b.device, "B7: a new device token")
			assert.Empty(t, b.chat)
			before := len(w.timeline(person.ID))
			b.track("as the new visitor")
			assert.Len(t, w.timeline(person.ID), before)

			b.startChat()
			assert.NotEqual(t, person.ID, b.person().ID)
		})
	}
}

func TestB6AnotherSubjectInLiveSession(t *testing.T) {
	w := newWorld(t)
	b := w.browser("shared")
	b.open()
	b.authenticate(w.token("email", "anna@example.com"))
	anna, device := b.person(), b.device
	b.authenticate(w.token("email", "bert@example.com"))
	b.track("as bert")
	bert := b.person()
	assert.NotEqual(t, anna.ID, bert.ID)
	assert.NotEqual(t, device, b.device, "new device token")
	assert.NotContains(t, strings.Join(w.story(anna.ID), "\n"), "as bert")
	assert.Contains(t, w.story(bert.ID), "10:00 action as bert")
	assert.Empty(t, bert.Links, "nothing links two subjects that shared a browser")
}

func TestB6SameSubjectAgainIsRefreshed(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.authenticate(w.token("msisdn", "+385 91 234"))
	first, epoch := b.person(), b.epoch
	w.pass(time.Minute)
	b.authenticate(w.token("msisdn", "38591234"))
	assert.Equal(t, first.ID, b.person().ID)
	assert.Equal(t, epoch, b.epoch)
	merges, err := w.service.Merges(context.Background(), DefaultAccount, first.ID)
	require.NoError(t, err)
	assert.Len(t, merges, 1, "only the visitor's")
}

func TestB4OneProfilePerSubjectAcrossDevices(t *testing.T) {
	w := newWorld(t)
	phone, desk := w.browser("phone"), w.browser("desk")
	phone.open()
	desk.open()
	phone.authenticate(w.token("email", "anna@example.com"))
	desk.authenticate(w.token("email", "ANNA@example.com"))
	assert.Equal(t, phone.person().ID, desk.person().ID)
	phone.logout()
	desk.track("still here")
	assert.Equal(t, kindAuthenticated, desk.profile().kind, "a logout on one device leaves the other's session alone")
}

func TestB4InvalidTokenChangesNothing(t *testing.T) {
	w := newWorld(t)
	for name, token := range map[string]string{
		"garbage": "not.a.token",
		"expired": w.token("email", "anna@example.com", func(c jwt.MapClaims) {
			c["iat"], c["exp"] = w.now.Add(-time.Hour).Unix(), w.now.Add(-time.Minute).Unix()
		}),
		"unknown widget": w.token("email", "anna@example.com", fromWidget("11111111-2222-3333-4444-555555555555")),
		"empty subject":  w.token("email", ""),
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser(strings.ReplaceAll(name, " ", ""))
			b.open()
			before, epoch := b.profile().id, b.epoch
			result := b.do(MethodChat, m{"state": "authenticated", "token": token})
			require.NotNil(t, result.Err)
			assert.Equal(t, CodePersonState, result.Err.Code)
			assert.NotContains(t, result.Err.Message, token)
			assert.Equal(t, before, b.profile().id)
			assert.Equal(t, epoch, b.epoch)
			assert.Empty(t, b.chat)
		})
	}
	assert.Empty(t, w.persons())
}

func TestB4TokenOlderThanInvalidation(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	token := w.token("email", "anna@example.com", withSID("s1"))
	require.NoError(t, w.service.InvalidateSession(context.Background(), DefaultAccount, widgetID, "s1"))
	result := b.do(MethodChat, m{"state": "authenticated", "token": token})
	require.NotNil(t, result.Err)
	assert.Equal(t, CodePersonState, result.Err.Code)
	assert.Equal(t, kindVisitor, b.profile().kind)
	w.pass(2 * time.Second)
	b.authenticate(w.token("email", "anna@example.com", withSID("s1")))
	assert.Equal(t, kindAuthenticated, b.profile().kind, "a token issued later is good")
}

func TestKeepAuthenticatedAsLeads(t *testing.T) {
	w := newWorld(t)
	b := w.browser("anna")
	b.open()
	b.authenticate(w.token("email", "anna@example.com", fromWidget(leadsID)))
	assert.Equal(t, TypeLead, b.person().Type)
	b.must(MethodUpdatePerson, m{"firstName": "Anna"})
	b.logout()
	b.authenticate(w.token("email", "anna@example.com"))
	person := b.person()
	assert.Equal(t, TypeCustomer, person.Type)
	assert.Equal(t, "Anna", person.FirstName)
	leads, err := w.service.Persons(context.Background(), DefaultAccount, PersonQuery{Type: TypeLead})
	require.NoError(t, err)
	assert.Empty(t, leads.Persons, "listed once, under the type of now")
	assert.Len(t, w.persons(), 1)
}
