package schema

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requireSafe says that a reason can be shown: short, printable, UTF-8.
func requireSafe(t *testing.T, err error) {
	t.Helper()
	require.NotEmpty(t, err.Error())
	require.Less(t, len(err.Error()), 1000)
	require.True(t, utf8.ValidString(err.Error()))
	require.False(t, strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }), "%q", err)
}

func FuzzCheckEvent(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","label":"b"}`, `{"at":"2026-11-22T10:00:00.5+02:00"}`, `{"items":[{"id":"\u0041","price":1e3}]}`, `{}`, `null`,
		`{"name":"a","name":"b"}`, "{\"name\":\"\xff\"}", `{"price":1e400}`, `{"x":{"y":[[[]]]}}`, `{"count":-0.0}`,
	} {
		f.Add("action", []byte(seed))
	}
	s := eventSchema(f)
	open, err := New(nil, nil, Options{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id string, properties []byte) {
		for _, s := range []*Schema{s, open} {
			canonical, err := s.CheckEvent(id, properties)
			if err != nil {
				assert.Nil(t, canonical)
				requireSafe(t, err)
				continue
			}
			if canonical == nil {
				require.Empty(t, properties)
				continue
			}
			require.LessOrEqual(t, len(canonical), maxEventBytes)
			var object map[string]any
			require.NoError(t, json.Unmarshal(canonical, &object))
			require.NotEmpty(t, object)
			again, err := s.CheckEvent(id, canonical)
			require.NoError(t, err)
			require.Equal(t, string(canonical), string(again))
		}
	})
}

func FuzzParsePerson(f *testing.F) {
	for _, seed := range []string{
		`{"firstName":"Semi","gender":"male","birthDate":"1993-01-01","preferredLanguage":"it-it","profilePicture":"https://profile.com"}`,
		`{"contactInformation":{"email":[{"address":"a@b.c"}],"phone":[{"number":"421905123450"}]},"tags":["a","a"]}`,
		`{"customAttributes":{"car":"x","INCOME":1,"category":null,"vip":true,"since":"2024-02-29"}}`,
		`{"customAttributes":null,"tags":null,"contactInformation":null}`, `{"x":{"y":[1]}}`, `[]`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	s := personSchema(f)
	f.Fuzz(func(t *testing.T, dto []byte) {
		update, warnings, err := s.ParsePerson(dto)
		if err != nil {
			require.Nil(t, update)
			requireSafe(t, err)
			return
		}
		require.LessOrEqual(t, len(warnings), maxWarnings+1)
		for name, value := range update.Set {
			require.Contains(t, scalars, name)
			require.NotContains(t, update.Clear, name)
			var text string
			require.NoError(t, json.Unmarshal(value, &text))
			require.NotEmpty(t, text)
		}
		require.LessOrEqual(t, len(update.Tags), maxTags)
		require.LessOrEqual(t, len(update.Emails), maxContacts)
		require.LessOrEqual(t, len(update.Phones), maxContacts)
		for _, phone := range update.Phones {
			require.Equal(t, phone, PhoneKey(phone))
		}
		for _, email := range update.Emails {
			require.Equal(t, EmailKey(email), EmailKey(EmailKey(email)))
		}
		for name, value := range update.Attributes {
			require.True(t, json.Valid(value))
			require.NotContains(t, update.ClearAttributes, name)
			attr, ok := s.Attribute(name)
			require.True(t, ok)
			require.Equal(t, attr.Name, name)
		}
	})
}

func FuzzCheckListItem(f *testing.F) {
	for _, seed := range []string{`{"name":"special"}`, `{"weight":1.50,"day":"2024-02-29"}`, `{"__id":"x"}`, `[]`, `{"name":"\ud800"}`} {
		f.Add("category", []byte(seed))
	}
	s := personSchema(f)
	f.Fuzz(func(t *testing.T, attribute string, value []byte) {
		canonical, err := s.CheckListItem(attribute, value)
		if err != nil {
			require.Nil(t, canonical)
			requireSafe(t, err)
			return
		}
		require.LessOrEqual(t, utf8.RuneCount(canonical), maxAttributeChars)
		again, err := s.CheckListItem(attribute, canonical)
		require.NoError(t, err)
		require.Equal(t, string(canonical), string(again))
	})
}
