package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"p%d":1,`, i)
	}
	return b.String()
}

func personSchema(t testing.TB) *Schema {
	t.Helper()
	attrs := []Attribute{
		{Name: "car", Type: TypeString},
		{Name: "Income", Type: TypeDecimal},
		{Name: "children", Type: TypeInteger},
		{Name: "vip", Type: TypeBoolean},
		{Name: "since", Type: TypeDate},
		{Name: "seen", Type: TypeDateTime},
		{Name: "category", Type: TypeList, Fields: []Field{
			{Name: "name", Type: TypeString}, {Name: "weight", Type: TypeDecimal}, {Name: "day", Type: TypeDate},
		}},
	}
	s, err := New(nil, attrs, Options{Strict: true})
	require.NoError(t, err)
	return s
}

func TestB23ExampleOfTheSpecification(t *testing.T) {
	t.Parallel()
	update, warnings, err := personSchema(t).ParsePerson([]byte(`{
		"address": "Kirchmayer street 97", "birthDate": "1993-01-01", "city": "Prague",
		"contactInformation": { "email": [{ "address": "email@infobip.com" }], "phone": [{ "number": "421905123450" }] },
		"country": "Czech Republic", "customAttributes": { "car": "Mercedes" }, "firstName": "Semi", "gender": "male",
		"lastName": "Holsen", "middleName": "Gabcik", "preferredLanguage": "it-it", "profilePicture": "https://profile.com",
		"tags": ["reading", "technology"] }`))
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Equal(t, &PersonUpdate{
		Set: map[string]json.RawMessage{
			"address": json.RawMessage(`"Kirchmayer street 97"`), "birthDate": json.RawMessage(`"1993-01-01"`), "city": json.RawMessage(`"Prague"`),
			"country": json.RawMessage(`"Czech Republic"`), "firstName": json.RawMessage(`"Semi"`), "gender": json.RawMessage(`"MALE"`),
			"lastName": json.RawMessage(`"Holsen"`), "middleName": json.RawMessage(`"Gabcik"`),
			"preferredLanguage": json.RawMessage(`"it-it"`), "profilePicture": json.RawMessage(`"https://profile.com"`),
		},
		Tags:       []string{"reading", "technology"},
		Emails:     []string{"email@infobip.com"},
		Phones:     []string{"421905123450"},
		Attributes: map[string]json.RawMessage{"car": json.RawMessage(`"Mercedes"`)},
	}, update)
}

func TestB23Scalars(t *testing.T) {
	t.Parallel()
	s := personSchema(t)
	type values = map[string]string // value → what is wrong with it, "" when nothing is
	forbidden := `must have no line break and none of & < > " / \ : ( ) { } = ; #`
	names := func(limit int) values {
		v := values{
			strings.Repeat("ü", limit): "", strings.Repeat("ü", limit+1): fmt.Sprintf("is longer than %d characters", limit),
			"Anna-Marie O'Neil": "", "李小龙": "", "a.b, c": "", " ": "",
		}
		for _, r := range "&<>\"/\\\n\r:(){}=;#" {
			v["a"+string(r)+"b"] = forbidden
		}
		return v
	}
	text := func(limit int) values {
		return values{strings.Repeat("ü", limit): "", strings.Repeat("ü", limit+1): fmt.Sprintf("is longer than %d characters", limit), "a & b (c)/d": ""}
	}
	noLanguage := "must be a language like en or a language and country like en-GB"
	noPicture := "must be an http or https URL without user name"
	for property, cases := range map[string]values{
		"firstName": names(255), "lastName": names(255), "middleName": names(50),
		"address": text(256), "city": text(50), "country": text(50),
		"birthDate": {"1993-01-01": "", "2024-02-29": "", "2023-02-29": noDate, "1.1.1993": noDate, "1993-01-01T00:00:00Z": noDate},
		"gender":    {"MALE": "", "FEMALE": "", "x": "must be MALE or FEMALE", "MALE ": "must be MALE or FEMALE", "M": "must be MALE or FEMALE"},
		"preferredLanguage": {
			"en": "", "en-gb": "", "en-GB": "", "EN": "", "it-it": "", "pt-BR": "",
			"e": noLanguage, "eng": noLanguage, "en_GB": noLanguage, "en-GBR": noLanguage, "en-": noLanguage, "-gb": noLanguage, "english": noLanguage,
			"qq": noLanguage, "en-AB": noLanguage, "zh-Hant-TW": noLanguage, "en-gb-x": noLanguage, "1a": noLanguage, "en-1a": noLanguage, "é": noLanguage,
		},
		"profilePicture": {
			"https://profile.com": "", "http://a/b.png?x=1#y": "", "HTTPS://Profile.com/ü.png": "", "https://[::1]:8080/x": "",
			"https://a.b/" + strings.Repeat("x", 2083-len("https://a.b/")): "",
			"https://a.b/" + strings.Repeat("x", 2084-len("https://a.b/")): "is longer than 2083 characters",
			"javascript:alert(1)": noPicture, "data:image/png;base64,AA": noPicture, "ftp://a/b": noPicture, "//a/b": noPicture, "/a.png": noPicture,
			"https:///a": noPicture, "https://": noPicture, "https://:80/": noPicture, "https:a.b": noPicture, "https://user:pw@a.b/": noPicture, "https://user@a.b": noPicture,
			" https://a.b": noPicture, "https://a.b/ x": noPicture, "https://a.b/\n": noPicture, "https://a.b\\@c.d": noPicture, "https://a.b/%zz": noPicture,
			"https://a.b/\u202egnp": noPicture, "java\nscript:x": noPicture, "blob:https://a.b/1": noPicture,
		},
	} {
		for value, reason := range cases {
			t.Run(property+"/"+clip(value), func(t *testing.T) {
				t.Parallel()
				quotedValue, err := json.Marshal(value)
				require.NoError(t, err)
				update, _, err := s.ParsePerson(fmt.Appendf(nil, `{%q:%s}`, property, quotedValue))
				if reason != "" {
					require.EqualError(t, err, fmt.Sprintf("property %q %s", property, reason))
					assert.Nil(t, update)
					return
				}
				require.NoError(t, err)
				var stored string
				require.NoError(t, json.Unmarshal(update.Set[property], &stored))
				assert.Equal(t, value, stored)
			})
		}
	}
}

func TestB23GenderInAnyCase(t *testing.T) {
	t.Parallel()
	s := personSchema(t)
	for given, want := range map[string]string{"male": `"MALE"`, "Female": `"FEMALE"`, "mAlE": `"MALE"`} {
		update, _, err := s.ParsePerson([]byte(`{"gender":"` + given + `"}`))
		require.NoError(t, err)
		assert.Equal(t, want, string(update.Set["gender"]))
	}
}

func TestB23Reasons(t *testing.T) {
	t.Parallel()
	s := personSchema(t)
	entries := func(n int, format string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(all, ",")
	}
	noEmail := `property "contactInformation.email[0].address" must be an e-mail address`
	noPhone := `property "contactInformation.phone[0].number" must be a phone number in international form, 5 to 15 digits with the country code first`
	email := func(s string) string { return `{"contactInformation":{"email":[{"address":"` + s + `"}]}}` }
	phone := func(s string) string { return `{"contactInformation":{"phone":[{"number":"` + s + `"}]}}` }
	for name, tc := range map[string]struct{ dto, reason string }{
		"nothing":                 {``, `the person is missing`},
		"null":                    {`null`, `the person must be an object, not null`},
		"list":                    {`[]`, `the person must be an object, not a list`},
		"not JSON":                {`{"firstName":"a"`, `not valid JSON`},
		"two values":              {`{} {}`, `not valid JSON`},
		"not UTF-8":               {"{\"firstName\":\"\xc3\"}", `not valid JSON`},
		"not UTF-8 where ignored": {"{\"x\":\"\xc3\"}", `not valid JSON`},
		"too large":               {`{"x":"` + strings.Repeat("x", 64<<10) + `"}`, `the person is larger than 65536 bytes`},
		"given twice":             {`{"firstName":"a","firstName":"b"}`, `property "firstName" is given twice`},
		"ignored given twice":     {`{"x":1,"x":2}`, `property "x" is given twice`},
		"number given twice":      {`{"0":1,"0":2}`, `property "0" is given twice`},
		"nested given twice":      {`{"contactInformation":{"email":[],"email":[]}}`, `property "contactInformation.email" is given twice`},
		"number":                  {`{"firstName":1}`, `property "firstName" must be a string, not a number`},
		"first in order":          {`{"gender":"x","firstName":1}`, `property "gender" must be MALE or FEMALE`},
		"first in order, reverse": {`{"firstName":1,"gender":"x"}`, `property "firstName" must be a string, not a number`},
		"deep where ignored":      {`{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, `not valid JSON`},

		"tags no list":         {`{"tags":"a"}`, `property "tags" must be a list, not a string`},
		"tag no string":        {`{"tags":["a",1]}`, `property "tags[1]" must be a string, not a number`},
		"tag null":             {`{"tags":[null]}`, `property "tags[0]" must be a string, not null`},
		"tag empty":            {`{"tags":[""]}`, `property "tags[0]" is empty`},
		"tag too long":         {`{"tags":["` + strings.Repeat("ü", 257) + `"]}`, `property "tags[0]" is longer than 256 characters`},
		"tags too many":        {`{"tags":[` + entries(129, `"t%d"`) + `]}`, `property "tags[128]" is one too many, at most 128 tags are possible in a call`},
		"contacts no object":   {`{"contactInformation":[]}`, `property "contactInformation" must be an object, not a list`},
		"email no list":        {`{"contactInformation":{"email":"a@b.c"}}`, `property "contactInformation.email" must be a list, not a string`},
		"email no object":      {`{"contactInformation":{"email":["a@b.c"]}}`, `property "contactInformation.email[0]" must be an object, not a string`},
		"email no address":     {`{"contactInformation":{"email":[{}]}}`, `property "contactInformation.email[0]" has no address`},
		"email null":           {`{"contactInformation":{"email":[{"address":null}]}}`, `property "contactInformation.email[0].address" must be a string, not null`},
		"email empty":          {email(""), noEmail},
		"email no at":          {email("a.b.c"), noEmail},
		"email two":            {email("a@b.c,d@e.f"), noEmail},
		"email with name":      {email("Ann <a@b.c>"), noEmail},
		"email in brackets":    {email("<a@b.c>"), noEmail},
		"email comment":        {email("a@b.c (Ann)"), noEmail},
		"email two at":         {email("a@b@c"), noEmail},
		"email dots":           {email("a..b@c.d"), noEmail},
		"email no domain":      {email("a@"), noEmail},
		"email line break":     {email(`a@b.c\nBcc: d@e.f`), noEmail},
		"email invisible":      {email(`a\u200b@b.c`), noEmail},
		"email too long":       {email(strings.Repeat("a", 251) + "@b.cd"), `property "contactInformation.email[0].address" is longer than 255 bytes`},
		"email second":         {`{"contactInformation":{"email":[{"address":"a@b.c"},{"address":"x"}]}}`, `property "contactInformation.email[1].address" must be an e-mail address`},
		"emails too many":      {`{"contactInformation":{"email":[` + entries(101, `{"address":"a%d@b.c"}`) + `]}}`, `property "contactInformation.email[100]" is one too many, at most 100 are possible in a call`},
		"phones too many":      {`{"contactInformation":{"phone":[` + entries(101, `{"number":"4219051%05d"}`) + `]}}`, `property "contactInformation.phone[100]" is one too many, at most 100 are possible in a call`},
		"phone as number":      {`{"contactInformation":{"phone":[{"number":421905123450}]}}`, `property "contactInformation.phone[0].number" must be a string, not a number`},
		"phone empty":          {phone(""), noPhone},
		"phone letters":        {phone("42190CALLME"), noPhone},
		"phone short":          {phone("4219"), noPhone},
		"phone long":           {phone("1234567890123456"), noPhone},
		"phone national":       {phone("0905123450"), noPhone},
		"phone 00":             {phone("00421905123450"), noPhone},
		"phone plus inside":    {phone("421+905123450"), noPhone},
		"phone two plus":       {phone("++421905123450"), noPhone},
		"phone foreign digits": {phone("٤٢١٩٠٥١٢٣٤٥٠"), noPhone},
		"phone extension":      {phone("+421905123450;ext=1"), noPhone},
		"phone padded":         {phone("4219051" + strings.Repeat("-", 50)), `property "contactInformation.phone[0].number" is longer than 50 characters`},

		"attributes no object": {`{"customAttributes":[]}`, `property "customAttributes" must be an object, not a list`},
		"string attribute":     {`{"customAttributes":{"car":1}}`, `property "customAttributes.car" must be a string, not a number`},
		"string too long":      {`{"customAttributes":{"car":"` + strings.Repeat("ü", 4097) + `"}}`, `property "customAttributes.car" is longer than 4096 characters`},
		"decimal attribute":    {`{"customAttributes":{"income":"1"}}`, `property "customAttributes.income" must be a number, not a string`},
		"integer attribute":    {`{"customAttributes":{"children":1.5}}`, `property "customAttributes.children" must be a whole number`},
		"boolean attribute":    {`{"customAttributes":{"vip":"yes"}}`, `property "customAttributes.vip" must be true or false, not a string`},
		"date attribute":       {`{"customAttributes":{"since":"2023-02-30"}}`, `property "customAttributes.since" must be a date as YYYY-MM-DD`},
		"datetime attribute":   {`{"customAttributes":{"seen":"now"}}`, `property "customAttributes.seen" must be a date and time in ISO 8601`},
		"list attribute":       {`{"customAttributes":{"category":[{"name":"a"}]}}`, `property "customAttributes.category" is a list, use appendToList() to add to it, or null to clear it`},
		"same attribute twice": {`{"customAttributes":{"car":"a","CAR":"b"}}`, `property "customAttributes.CAR" is given twice, names are compared without regard to case`},
		"set and cleared":      {`{"customAttributes":{"car":null,"CAR":"b"}}`, `property "customAttributes.CAR" is given twice, names are compared without regard to case`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			update, warnings, err := s.ParsePerson([]byte(tc.dto))
			require.EqualError(t, err, tc.reason)
			assert.Nil(t, update, "nothing changes")
			assert.Nil(t, warnings)
		})
	}
}

func TestB23MergeSemantics(t *testing.T) {
	t.Parallel()
	s := personSchema(t)
	none := map[string]json.RawMessage{}
	for name, tc := range map[string]struct {
		dto  string
		want PersonUpdate
	}{
		"empty changes nothing":   {`{}`, PersonUpdate{}},
		"null clears":             {`{"firstName":null,"birthDate":null}`, PersonUpdate{Clear: []string{"firstName", "birthDate"}}},
		"empty text clears":       {`{"gender":"","city":""}`, PersonUpdate{Clear: []string{"gender", "city"}}},
		"null tags":               {`{"tags":null}`, PersonUpdate{ClearTags: true}},
		"empty tags":              {`{"tags":[]}`, PersonUpdate{}},
		"tags once each":          {`{"tags":["a","b","a","A"]}`, PersonUpdate{Tags: []string{"a", "b", "A"}}},
		"null contacts":           {`{"contactInformation":null}`, PersonUpdate{ClearEmails: true, ClearPhones: true}},
		"null emails":             {`{"contactInformation":{"email":null}}`, PersonUpdate{ClearEmails: true}},
		"null phones":             {`{"contactInformation":{"phone":null}}`, PersonUpdate{ClearPhones: true}},
		"emails once each":        {`{"contactInformation":{"email":[{"address":" A@b.c "},{"address":"a@B.C"},{"address":"d@e.f"}]}}`, PersonUpdate{Emails: []string{"A@b.c", "d@e.f"}}},
		"unusual emails":          {`{"contactInformation":{"email":[{"address":"\"a b\"@c.d"},{"address":"a@[127.0.0.1]"},{"address":"müller@käse.de"}]}}`, PersonUpdate{Emails: []string{`"a b"@c.d`, "a@[127.0.0.1]", "müller@käse.de"}}},
		"phones once each":        {`{"contactInformation":{"phone":[{"number":"+421 905 123-450"},{"number":"421905123450"},{"number":"+1 (212) 555.01/00"}]}}`, PersonUpdate{Phones: []string{"421905123450", "12125550100"}}},
		"null attribute":          {`{"customAttributes":{"CAR":null,"category":null}}`, PersonUpdate{ClearAttributes: []string{"car", "category"}}},
		"null attributes":         {`{"customAttributes":null}`, PersonUpdate{ClearAttributes: []string{"car", "Income", "children", "vip", "since", "seen", "category"}}},
		"attributes by any case":  {`{"customAttributes":{"INCOME":1.50,"Vip":true}}`, PersonUpdate{Attributes: map[string]json.RawMessage{"Income": json.RawMessage(`1.5`), "vip": json.RawMessage(`true`)}}},
		"all types of attributes": {`{"customAttributes":{"children":2.0,"since":"2024-02-29","seen":"2026-11-22T10:00:00"}}`, PersonUpdate{Attributes: map[string]json.RawMessage{"children": json.RawMessage(`2`), "since": json.RawMessage(`"2024-02-29"`), "seen": json.RawMessage(`"2026-11-22T10:00:00.000Z"`)}}},
		"longest attribute":       {`{"customAttributes":{"car":"` + strings.Repeat(`\n`, 4096) + `"}}`, PersonUpdate{Attributes: map[string]json.RawMessage{"car": json.RawMessage(`"` + strings.Repeat(`\n`, 4096) + `"`)}}},
		"longest and shortest": {
			`{"contactInformation":{"email":[{"address":"` + strings.Repeat("a", 250) + `@b.cd"}],"phone":[{"number":"12345"},{"number":"123456789012345"}]}}`,
			PersonUpdate{Emails: []string{strings.Repeat("a", 250) + "@b.cd"}, Phones: []string{"12345", "123456789012345"}},
		},
		"largest": {`{"tags":[]` + strings.Repeat(" ", 64<<10-len(`{"tags":[]}`)) + `}`, PersonUpdate{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			update, warnings, err := s.ParsePerson([]byte(tc.dto))
			require.NoError(t, err)
			assert.Empty(t, warnings)
			if tc.want.Set == nil {
				tc.want.Set = none
			}
			if tc.want.Attributes == nil {
				tc.want.Attributes = none
			}
			assert.Equal(t, tc.want, *update)
		})
	}
}

func TestB23IgnoredNamesAreListed(t *testing.T) {
	t.Parallel()
	s := personSchema(t)
	update, warnings, err := s.ParsePerson([]byte(`{"externalId":"1","type":{"a":[1]},"FirstName":"x","firstName":"Semi",
		"contactInformation":{"push":[1],"email":[{"address":"a@b.c","verified":true}]},"customAttributes":{"boat":"x"}}`))
	require.NoError(t, err)
	assert.Equal(t, `"Semi"`, string(update.Set["firstName"]))
	assert.Equal(t, []string{"a@b.c"}, update.Emails)
	assert.Equal(t, []Warning{
		{WarnIgnoredProperty, `property "externalId" cannot be updated and was ignored`},
		{WarnIgnoredProperty, `property "type" cannot be updated and was ignored`},
		{WarnIgnoredProperty, `property "FirstName" cannot be updated and was ignored`},
		{WarnIgnoredProperty, `property "contactInformation.push" cannot be updated and was ignored`},
		{WarnIgnoredProperty, `property "contactInformation.email[0].verified" cannot be updated and was ignored`},
		{WarnUndefinedAttribute, `custom attribute "boat" is not defined and was ignored`},
	}, warnings)
}

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	_, warnings, err := personSchema(t).ParsePerson([]byte(`{` + strings.TrimSuffix(manyMembers(5000), ",") + `}`))
	require.NoError(t, err)
	require.Len(t, warnings, 33)
	assert.Equal(t, "4968 more properties were ignored", warnings[32].Message)
}

func TestClearingManyListsIsRefused(t *testing.T) {
	t.Parallel()
	var attrs []Attribute
	for i := range 5 {
		attrs = append(attrs, Attribute{Name: fmt.Sprint("l", i), Type: TypeList, Fields: manyFields(1)})
	}
	s, err := New(nil, attrs, Options{})
	require.NoError(t, err)
	update, _, err := s.ParsePerson([]byte(`{"customAttributes":{"l0":null,"l1":null,"l2":null,"l3":null}}`))
	require.NoError(t, err)
	assert.Len(t, update.ClearAttributes, 4)
	for _, dto := range []string{`{"customAttributes":null}`, `{"customAttributes":{"l0":null,"l1":null,"l2":null,"l3":null,"l4":null}}`} {
		_, _, err = s.ParsePerson([]byte(dto))
		require.EqualError(t, err, `property "customAttributes.l4" is one list too many, at most 4 can be cleared in a call`)
	}
}

func TestB24ListItems(t *testing.T) {
	t.Parallel()
	s := personSchema(t)
	for name, tc := range map[string]struct{ attribute, item, want, reason string }{
		"ok/example of the specification": {"category", `{ "name": "special" }`, `{"name":"special"}`, ""},
		"ok/name in any case":             {"CATEGORY", `{"weight":1.0}`, `{"weight":1}`, ""},
		"ok/longest":                      {"category", `{"name":"` + strings.Repeat("ü", 4096-11) + `"}`, `{"name":"` + strings.Repeat("ü", 4096-11) + `"}`, ""},
		"fail/too long":                   {"category", `{"name":"` + strings.Repeat("ü", 4096-10) + `"}`, "", "the item is longer than 4096 characters of JSON"},
		"fail/far too long":               {"category", `{"name":"` + strings.Repeat("x", 64<<10) + `"}`, "", "the item is longer than 4096 characters of JSON"},
		"fail/undefined attribute":        {"nope", `{}`, "", `custom attribute "nope" is not defined`},
		"fail/no attribute":               {"", `{}`, "", `custom attribute "" is not defined`},
		"fail/no list":                    {"Car", `{"name":"a"}`, "", `custom attribute "car" is of type string, not list`},
		"fail/nothing":                    {"category", ``, "", `the item is missing`},
		"fail/null":                       {"category", `null`, "", `the item must be an object, not null`},
		"fail/array":                      {"category", `[{"name":"a"}]`, "", `the item must be an object, not a list`},
		"fail/empty":                      {"category", `{}`, "", `the item must have at least one property`},
		"fail/undefined property":         {"category", `{"name":"a","x":1}`, "", `property "x" is not defined`},
		"fail/id":                         {"category", `{"__id":"1","name":"a"}`, "", `property "__id" is not defined`},
		"fail/property in another case":   {"category", `{"Name":"a"}`, "", `property "Name" is not defined`},
		"fail/wrong type":                 {"category", `{"weight":"a"}`, "", `property "weight" must be a number, not a string`},
		"fail/no date":                    {"category", `{"day":"2023-02-29"}`, "", `property "day" must be a date as YYYY-MM-DD`},
		"fail/null property":              {"category", `{"name":null}`, "", `property "name" must be a string, not null`},
		"fail/nested":                     {"category", `{"name":{}}`, "", `property "name" must be a string, not an object`},
		"fail/twice":                      {"category", `{"name":"a","name":"a"}`, "", `property "name" is given twice`},
		"fail/not UTF-8":                  {"category", "{\"name\":\"\xff\"}", "", `not valid JSON`},
		"fail/trailing":                   {"category", `{"name":"a"}x`, "", `not valid JSON`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := s.CheckListItem(tc.attribute, []byte(tc.item))
			if tc.reason != "" {
				require.EqualError(t, err, tc.reason)
				assert.Nil(t, got)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got))
		})
	}
}

func TestContactKeys(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		" Ann@Example.COM ": "ann@example.com", "MÜLLER@x.de": "müller@x.de",
		"\u212aim@x.de": "\u212aim@x.de", // the Kelvin sign is no k
		"\u0130@x.de":   "\u0130@x.de",   // the dotted capital I is no i
		"\u017f@x.de":   "\u017f@x.de",   // the long s is no s
	} {
		assert.Equal(t, want, EmailKey(given), given)
	}
	assert.NotEqual(t, EmailKey("kim@x.de"), EmailKey("\u212aim@x.de"))
	assert.Equal(t, "421905123450", PhoneKey("+421 905 123-450"))
	assert.Empty(t, PhoneKey("٤٢١"))
}
