package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func eventSchema(t testing.TB) *Schema {
	t.Helper()
	s, err := New([]Definition{
		{ID: "action", Title: "Action", Fields: []Field{
			{Name: "name", Type: TypeString},
			{Name: "label", Type: TypeString},
			{Name: "ok", Type: TypeBoolean},
			{Name: "at", Type: TypeDateTime},
			{Name: "count", Type: TypeNumeric},
			{Name: "price", Type: TypeDecimal},
			{Name: "items", Type: TypeList, Fields: []Field{{Name: "id", Type: TypeString}, {Name: "price", Type: TypeDecimal}}},
		}},
		{ID: "bare", Title: "Bare"},
	}, nil, Options{Strict: true})
	require.NoError(t, err)
	return s
}

func TestB22Track(t *testing.T) {
	t.Parallel()
	s := eventSchema(t)
	for name, tc := range map[string]struct {
		id, properties string
		want           string // canonical
		reason         string // or the whole reason
	}{
		"ok/example of the specification": {properties: `{ "name": "Button clicked", "label": "add-to-favorites" }`, want: `{"name":"Button clicked","label":"add-to-favorites"}`},
		"ok/omitted":                      {},
		"ok/omitted where none defined":   {id: "bare"},
		"ok/order is kept":                {properties: `{"label":"b","name":"a"}`, want: `{"label":"b","name":"a"}`},
		"ok/escapes are normalised":       {properties: `{"name":"\u0041\/\n\u00fc"}`, want: `{"name":"A/\nü"}`},
		"ok/escaped name":                 {properties: `{"\u006eame":"a"}`, want: `{"name":"a"}`},
		"ok/empty string":                 {properties: `{"name":""}`, want: `{"name":""}`},
		"ok/booleans":                     {properties: `{"ok":true}`, want: `{"ok":true}`},
		"ok/list":                         {properties: `{"items":[{"id":"a","price":1.50},{"id":"b"}]}`, want: `{"items":[{"id":"a","price":1.5},{"id":"b"}]}`},
		"ok/empty list":                   {properties: `{"items":[]}`, want: `{"items":[]}`},

		"fail/undefined event":      {id: "nope", reason: `event "nope" is not defined`},
		"fail/id in another case":   {id: "Action", reason: `event "Action" is not defined`},
		"fail/standard event":       {id: "pageView", reason: `event "pageView" is a standard event, which only the server records`},
		"fail/standard event case":  {id: "SESSIONENDED", reason: `event "SESSIONENDED" is a standard event, which only the server records`},
		"fail/empty object":         {properties: `{}`, reason: `properties must have at least one property`},
		"fail/null":                 {properties: `null`, reason: `properties must be an object, not null`},
		"fail/array":                {properties: `[]`, reason: `properties must be an object, not a list`},
		"fail/string":               {properties: `"x"`, reason: `properties must be an object, not a string`},
		"fail/undeclared":           {properties: `{"name":"a","nope":1}`, reason: `property "nope" is not defined`},
		"fail/none defined":         {id: "bare", properties: `{"a":1}`, reason: `property "a" is not defined`},
		"fail/name in another case": {properties: `{"Name":"a"}`, reason: `property "Name" is not defined`},
		"fail/null value":           {properties: `{"name":null}`, reason: `property "name" must be a string, not null`},
		"fail/number for string":    {properties: `{"name":1}`, reason: `property "name" must be a string, not a number`},
		"fail/object for string":    {properties: `{"name":{"a":1}}`, reason: `property "name" must be a string, not an object`},
		"fail/string for number":    {properties: `{"count":"1"}`, reason: `property "count" must be a whole number, not a string`},
		"fail/string for boolean":   {properties: `{"ok":"true"}`, reason: `property "ok" must be true or false, not a string`},
		"fail/object for list":      {properties: `{"items":{}}`, reason: `property "items" must be a list, not an object`},
		"fail/scalar item":          {properties: `{"items":[{"id":"a"},1]}`, reason: `property "items[1]" must be an object, not a number`},
		"fail/empty item":           {properties: `{"items":[{}]}`, reason: `property "items[0]" must have at least one property`},
		"fail/undeclared in item":   {properties: `{"items":[{"id":"a"},{"nope":1}]}`, reason: `property "items[1].nope" is not defined`},
		"fail/wrong type in item":   {properties: `{"items":[{"price":"1"}]}`, reason: `property "items[0].price" must be a number, not a string`},
		"fail/list in item":         {properties: `{"items":[{"id":[]}]}`, reason: `property "items[0].id" must be a string, not a list`},
		"fail/first in order":       {properties: `{"count":"x","name":1}`, reason: `property "count" must be a whole number, not a string`},
		"fail/first in order too":   {properties: `{"name":1,"count":"x"}`, reason: `property "name" must be a string, not a number`},
		"fail/given twice":          {properties: `{"name":"a","name":"b"}`, reason: `property "name" is given twice`},
		"fail/given twice, escaped": {properties: `{"name":"a","n\u0061me":"b"}`, reason: `property "name" is given twice`},
		"fail/given twice in item":  {properties: `{"items":[{"id":"a","id":"b"}]}`, reason: `property "items[0].id" is given twice`},
		"fail/not UTF-8":            {properties: "{\"name\":\"\xff\"}", reason: `not valid JSON`},
		"fail/name not UTF-8":       {properties: "{\"\xff\":\"\"}", reason: `not valid JSON`},
		"fail/half a surrogate":     {properties: `{"name":"\ud83d"}`, reason: `not valid JSON`},
		"fail/NaN":                  {properties: `{"price":NaN}`, reason: `not valid JSON`},
		"fail/Infinity":             {properties: `{"price":-Infinity}`, reason: `not valid JSON`},
		"fail/hexadecimal":          {properties: `{"price":0x10}`, reason: `not valid JSON`},
		"fail/leading zero":         {properties: `{"price":01}`, reason: `not valid JSON`},
		"fail/cut off":              {properties: `{"name":"a"`, reason: `not valid JSON`},
		"fail/trailing comma":       {properties: `{"name":"a",}`, reason: `not valid JSON`},
		"fail/two values":           {properties: `{"name":"a"}{}`, reason: `not valid JSON`},
		"fail/blank":                {properties: ` `, reason: `not valid JSON`},
		"fail/deep nesting":         {properties: `{"name":` + strings.Repeat("[", 30000) + `}`, reason: `property "name" must be a string, not a list`},
		"fail/long name is cut":     {properties: `{"` + strings.Repeat("n", 30000) + `":1}`, reason: `property "` + strings.Repeat("n", 64) + `…" is not defined`},
		"fail/longest name shown":   {properties: `{"` + strings.Repeat("n", 64) + `":1}`, reason: `property "` + strings.Repeat("n", 64) + `" is not defined`},
		"fail/name cut at a letter": {properties: `{"n` + strings.Repeat("ü", 99) + `":1}`, reason: `property "n` + strings.Repeat("ü", 31) + `…" is not defined`},
		"fail/empty name":           {properties: `{"":1}`, reason: `property "\"\"" is not defined`},
		"fail/brackets mixed":       {properties: `{"name":"a"]`, reason: `not valid JSON`},
		"fail/list cut off":         {properties: `{"items":[{"id":"a"}`, reason: `not valid JSON`},
		"fail/list closed wrongly":  {properties: `{"items":[}`, reason: `not valid JSON`},
		"fail/no value":             {properties: `{"name":}`, reason: `not valid JSON`},
		"fail/bad escape":           {properties: `{"name":"\x"}`, reason: `not valid JSON`},
		"fail/unprintable name":     {properties: `{"a\u0000\u202e":1}`, reason: `property "a\x00\u202e" is not defined`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := tc.id
			if id == "" {
				id = "action"
			}
			canonical, err := s.CheckEvent(id, []byte(tc.properties))
			if tc.reason != "" {
				require.EqualError(t, err, tc.reason)
				assert.Nil(t, canonical)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(canonical))
			if tc.want == "" {
				assert.Nil(t, canonical)
			}
		})
	}
}

// scalarCases are values of each type, in JSON: what they become, or the
// reason against them.
var scalarCases = map[Type]map[string]string{
	TypeNumeric: wholeCases, TypeInteger: wholeCases,
	TypeDecimal: {
		"0": "0", "-0": "0", "-0.0": "0", "1.50": "1.5", "1e3": "1000", "1E-2": "0.01", "0.1": "0.1", "1e-400": "0",
		"9223372036854775807": "9223372036854775807", "9007199254740993": "9007199254740993",
		"9223372036854775808": outOfRange, "-9223372036854775809": outOfRange, "1e400": outOfRange, "-1e999999999": outOfRange,
		"true": "must be a number, not a boolean", `"1"`: "must be a number, not a string", "null": "must be a number, not null",
	},
	TypeBoolean: {
		"true": "true", "false": "false",
		"0": "must be true or false, not a number", `"true"`: "must be true or false, not a string", "null": "must be true or false, not null",
	},
	TypeDate: {
		`"1993-01-01"`: `"1993-01-01"`, `"2024-02-29"`: `"2024-02-29"`, `"0001-01-01"`: `"0001-01-01"`,
		`"2023-02-29"`: noDate, `"1900-02-29"`: noDate, `"1993-13-01"`: noDate, `"1993-04-31"`: noDate, `"1993-00-01"`: noDate,
		`"0000-01-01"`: noDate, `"1993-1-1"`: noDate, `"01.01.1993"`: noDate, `"19930101"`: noDate, `""`: noDate, `" 1993-01-01"`: noDate,
		`"1993-01-01T00:00:00Z"`: noDate, `"٠٠٠١-01-01"`: noDate, "19930101": noDate + ", not a number",
	},
	TypeDateTime: {
		`"2026-11-22T10:00:00.123Z"`: `"2026-11-22T10:00:00.123Z"`, `"2026-11-22T10:00:00Z"`: `"2026-11-22T10:00:00.000Z"`,
		`"2026-11-22T10:00:00.123456789Z"`: `"2026-11-22T10:00:00.123Z"`,
		`"2026-11-22T10:00:00+02:00"`:      `"2026-11-22T08:00:00.000Z"`, `"2026-11-22T10:00:00.5-0330"`: `"2026-11-22T13:30:00.500Z"`,
		`"2026-11-22T10:00:00.000+0000"`: `"2026-11-22T10:00:00.000Z"`, `"2026-11-22T10:00:00"`: `"2026-11-22T10:00:00.000Z"`,
		`"2026-11-22T10:00:00.25"`: `"2026-11-22T10:00:00.250Z"`, `"2026-11-22"`: `"2026-11-22T00:00:00.000Z"`,
		`"0001-01-01T00:00:00Z"`: `"0001-01-01T00:00:00.000Z"`, `"9999-12-31T23:59:59.999Z"`: `"9999-12-31T23:59:59.999Z"`,
		`"2024-02-29T00:00:00Z"`: `"2024-02-29T00:00:00.000Z"`,
		`"2023-02-29T00:00:00Z"`: noTime, `"2026-11-22T24:00:00Z"`: noTime, `"2026-11-22T10:60:00Z"`: noTime, `"2026-11-22T10:00:60Z"`: noTime,
		`"2026-11-22T10:00:00,5Z"`: noTime, `"2026-11-22T1:00:00Z"`: noTime, `"2026-11-22 10:00:00"`: noTime, `"2026-11-22T10:00Z"`: noTime,
		`"2026-11-22T10:00:00+25:00"`: noTime, `"2026-11-22T10:00:00+02:60"`: noTime, `"2026-11-22T10:00:00+02"`: noTime,
		`"0001-01-01T00:00:00+01:00"`: noTime, `"9999-12-31T23:59:59-01:00"`: noTime, `"0000-06-01T00:00:00Z"`: noTime,
		`"Sun Nov 22 2026"`: noTime, `""`: noTime, `"Z"`: noTime, `"1234567890"`: noTime, `"2026-11-22T10:00:00ZZ"`: noTime,
		"1763805600000": noTime + ", not a number",
	},
	TypeString: {
		`"a"`: `"a"`, `""`: `""`, `"\u0000"`: `"\u0000"`, `"\"\\\u001f"`: `"\"\\\u001f"`, `"\ud83d\ude00"`: `"😀"`,
		"1": "must be a string, not a number", "false": "must be a string, not a boolean", "[]": "must be a string, not a list",
	},
}

const (
	outOfRange = "must be between -9223372036854775807 and 9223372036854775807"
	noDate     = "must be a date as YYYY-MM-DD"
	noTime     = "must be a date and time in ISO 8601"
)

var wholeCases = map[string]string{
	"0": "0", "-0": "0", "1.0": "1", "1e3": "1000", "-5": "-5", "1e18": "1000000000000000000", "9223372036854775807": "9223372036854775807",
	"9223372036854775808": outOfRange, "1e19": outOfRange, "1e400": outOfRange, "1.5": "must be a whole number", "1e-1": "must be a whole number",
	`"1"`: "must be a whole number, not a string", "true": "must be a whole number, not a boolean", "null": "must be a whole number, not null",
}

func TestScalars(t *testing.T) {
	t.Parallel()
	for typ, cases := range scalarCases {
		for raw, want := range cases {
			t.Run(string(typ)+"/"+raw, func(t *testing.T) {
				t.Parallel()
				got, err := appendScalar(nil, newDecoder([]byte(raw)), typ)
				if err != nil {
					assert.Equal(t, want, strings.TrimPrefix(err.Error(), "the value "))
					return
				}
				assert.Equal(t, want, string(got))
				again, err := appendScalar(nil, newDecoder(got), typ)
				require.NoError(t, err, "the canonical form is accepted")
				assert.Equal(t, string(got), string(again), "and is its own canonical form")
			})
		}
	}
}

func TestB22Size(t *testing.T) {
	t.Parallel()
	s := eventSchema(t)
	sized := func(n int) []byte {
		const frame = `{"name":""}`
		return []byte(`{"name":"` + strings.Repeat("x", n-len(frame)) + `"}`)
	}
	canonical, err := s.CheckEvent("action", sized(32<<10))
	require.NoError(t, err)
	assert.Len(t, canonical, 32<<10)
	_, err = s.CheckEvent("action", sized(32<<10+1))
	require.EqualError(t, err, "the properties are larger than 32768 bytes")

	items := strings.Repeat(`{"price":1e18},`, 2000)
	_, err = s.CheckEvent("action", []byte(`{"items":[`+strings.TrimSuffix(items, ",")+`]}`))
	require.EqualError(t, err, "the properties are larger than 32768 bytes", "in canonical form")
}

func TestB22WithoutDefinitions(t *testing.T) {
	t.Parallel()
	open, err := New(nil, nil, Options{})
	require.NoError(t, err)
	strict, err := New(nil, nil, Options{Strict: true})
	require.NoError(t, err)
	defined, err := New([]Definition{{ID: "action", Title: "x"}}, nil, Options{})
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		schema                       *Schema
		id, properties, want, reason string
	}{
		"ok/any event":              {schema: open, id: "anything"},
		"ok/any properties":         {schema: open, id: "a", properties: `{"s":"x","b":false,"n":1.5,"l":[{"x":1}]}`, want: `{"s":"x","b":false,"n":1.5,"l":[{"x":1}]}`},
		"fail/strict":               {schema: strict, id: "a", reason: `event "a" is not defined`},
		"fail/others are defined":   {schema: defined, id: "a", reason: `event "a" is not defined`},
		"fail/no id":                {schema: open, reason: "the event's id is missing"},
		"fail/id":                   {schema: open, id: "a-b", reason: "an event's id is 1 to 36 letters and digits"},
		"fail/id too long":          {schema: open, id: strings.Repeat("a", 37), reason: "an event's id is 1 to 36 letters and digits"},
		"fail/standard event":       {schema: open, id: "sessionStarted", reason: `event "sessionStarted" is a standard event, which only the server records`},
		"fail/standard in any case": {schema: open, id: "PageView", reason: `event "PageView" is a standard event, which only the server records`},
		"fail/empty":                {schema: open, id: "a", properties: `{}`, reason: "properties must have at least one property"},
		"fail/null":                 {schema: open, id: "a", properties: `{"x":null}`, reason: `property "x" must be a string, a boolean, a number or a list of objects, not null`},
		"fail/object":               {schema: open, id: "a", properties: `{"x":{"y":1}}`, reason: `property "x" must be a string, a boolean, a number or a list of objects, not an object`},
		"fail/list of scalars":      {schema: open, id: "a", properties: `{"x":[1]}`, reason: `property "x[0]" must be an object, not a number`},
		"fail/second list":          {schema: open, id: "a", properties: `{"x":[],"y":[]}`, reason: `property "y" must not be a list, an event has at most one and that has none`},
		"fail/list in list":         {schema: open, id: "a", properties: `{"x":[{"y":[]}]}`, reason: `property "x[0].y" must not be a list, an event has at most one and that has none`},
		"fail/name":                 {schema: open, id: "a", properties: `{"Bad":1}`, reason: `property "Bad" is not possible, ` + errFieldName.Error()},
		"fail/too many": {
			schema: open, id: "a", properties: `{` + strings.TrimSuffix(manyMembers(121), ",") + `}`,
			reason: `property "p120" is one too many, at most 120 are possible`,
		},
		"ok/widest item":     {schema: open, id: "a", properties: `{"l":[{` + strings.TrimSuffix(manyMembers(128), ",") + `}]}`, want: `{"l":[{` + strings.TrimSuffix(manyMembers(128), ",") + `}]}`},
		"fail/item too wide": {schema: open, id: "a", properties: `{"l":[{` + strings.TrimSuffix(manyMembers(129), ",") + `}]}`, reason: `property "l[0].p128" is one too many, at most 128 are possible`},
		"fail/not JSON":      {schema: open, id: "a", properties: `{"x":}`, reason: "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.schema.CheckEvent(tc.id, []byte(tc.properties))
			if tc.reason != "" {
				require.EqualError(t, err, tc.reason)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(got))
		})
	}
}
