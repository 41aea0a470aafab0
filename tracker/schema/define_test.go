package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func manyFields(n int) []Field {
	fields := make([]Field, n)
	for i := range fields {
		fields[i] = Field{Name: fmt.Sprintf("f%d", i), Type: TypeString}
	}
	return fields
}

func TestNewJudgesDefinitions(t *testing.T) {
	t.Parallel()
	list := func(name string, fields ...Field) Field { return Field{Name: name, Type: TypeList, Fields: fields} }
	event := func(fields ...Field) Definition { return Definition{ID: "action", Title: "Action", Fields: fields} }
	for name, tc := range map[string]struct {
		defs []Definition
		want string // part of the error, "" is none
	}{
		"ok/nothing at all": {},
		"ok/no fields":      {defs: []Definition{event()}},
		"ok/every type": {defs: []Definition{event(Field{"s", TypeString, nil}, Field{"b", TypeBoolean, nil}, Field{"at", TypeDateTime, nil},
			Field{"n", TypeNumeric, nil}, Field{"d", TypeDecimal, nil}, list("items", Field{"s", TypeString, nil}))}},
		"ok/longest id": {defs: []Definition{{ID: strings.Repeat("a", 36), Title: "x"}}},
		"ok/every letter and digit": {defs: []Definition{
			{ID: "abcdefghijklmnopqrstuvwxyz0123456789", Title: "x", Fields: []Field{{"z09AZ", TypeString, nil}, {"a", TypeString, nil}}},
			{ID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", Title: "x"},
		}},
		"fail/id too long":       {defs: []Definition{{ID: strings.Repeat("a", 37), Title: "x"}}, want: `event "` + strings.Repeat("a", 37) + `": an event's id`},
		"fail/empty id":          {defs: []Definition{{Title: "x"}}, want: `event "": an event's id`},
		"fail/id with dash":      {defs: []Definition{{ID: "my-event", Title: "x"}}, want: `event "my-event": an event's id`},
		"fail/id not ASCII":      {defs: []Definition{{ID: "größe", Title: "x"}}, want: "an event's id"},
		"fail/standard id":       {defs: []Definition{{ID: "pageView", Title: "x"}}, want: `event "pageView": the id belongs to a standard event`},
		"fail/standard id case":  {defs: []Definition{{ID: "PageView", Title: "x"}}, want: "standard event"},
		"fail/twice":             {defs: []Definition{event(), event()}, want: `event "action": defined twice`},
		"ok/ids differ in case":  {defs: []Definition{event(), {ID: "Action", Title: "x"}}},
		"fail/no title":          {defs: []Definition{{ID: "a", Title: " "}}, want: `event "a": the title is missing`},
		"ok/longest title":       {defs: []Definition{{ID: "a", Title: strings.Repeat("ü", 100)}}},
		"fail/title too long":    {defs: []Definition{{ID: "a", Title: strings.Repeat("ü", 101)}}, want: "the title has 101 characters"},
		"fail/title not UTF-8":   {defs: []Definition{{ID: "a", Title: "\xff"}}, want: "the title is not UTF-8"},
		"ok/longest description": {defs: []Definition{{ID: "a", Title: "x", Description: strings.Repeat("d", 2000)}}},
		"fail/long description":  {defs: []Definition{{ID: "a", Title: "x", Description: strings.Repeat("d", 2001)}}, want: "the description has 2001"},
		"ok/most fields":         {defs: []Definition{event(manyFields(120)...)}},
		"fail/too many fields":   {defs: []Definition{event(manyFields(121)...)}, want: `event "action": 121 fields`},
		"ok/underscore first":    {defs: []Definition{event(Field{"_x", TypeString, nil})}},
		"ok/longest name":        {defs: []Definition{event(Field{strings.Repeat("n", 128), TypeString, nil})}},
		"fail/name too long":     {defs: []Definition{event(Field{strings.Repeat("n", 129), TypeString, nil})}, want: "a field's name is 1 to 128"},
		"fail/name empty":        {defs: []Definition{event(Field{"", TypeString, nil})}, want: `field "": a field's name`},
		"fail/name upper first":  {defs: []Definition{event(Field{"Name", TypeString, nil})}, want: `event "action": field "Name": a field's name`},
		"fail/name digit first":  {defs: []Definition{event(Field{"1a", TypeString, nil})}, want: `field "1a"`},
		"fail/name with blank":   {defs: []Definition{event(Field{"a b", TypeString, nil})}, want: `field "a b"`},
		"fail/names fold":        {defs: []Definition{event(Field{"aB", TypeString, nil}, Field{"ab", TypeString, nil})}, want: `field "ab": defined twice`},
		"fail/unknown type":      {defs: []Definition{event(Field{"a", "text", nil})}, want: `field "a": type "text" is not possible here, use one of string, boolean, datetime, numeric, decimal, list`},
		"fail/attribute type":    {defs: []Definition{event(Field{"a", TypeInteger, nil})}, want: `type "integer"`},
		"fail/date type":         {defs: []Definition{event(Field{"a", TypeDate, nil})}, want: `type "date"`},
		"fail/scalar has fields": {defs: []Definition{event(Field{"a", TypeString, manyFields(1)})}, want: "type string has no fields"},
		"fail/two lists":         {defs: []Definition{event(list("a", manyFields(1)...), list("b", manyFields(1)...))}, want: `field "b": an event has at most one list`},
		"ok/fullest list":        {defs: []Definition{event(list("a", manyFields(128)...))}},
		"fail/list too wide":     {defs: []Definition{event(list("a", manyFields(129)...))}, want: "a list has 1 to 128 fields, not 129"},
		"fail/list empty":        {defs: []Definition{event(list("a"))}, want: `field "a": a list has 1 to 128 fields, not 0`},
		"fail/list in list":      {defs: []Definition{event(list("a", list("b", manyFields(1)...)))}, want: `field "a": field "b": type "list" is not possible here`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tc.defs, nil, Options{Strict: true})
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestNewJudgesAttributes(t *testing.T) {
	t.Parallel()
	many := func(n int) []Attribute {
		attrs := make([]Attribute, n)
		for i := range attrs {
			attrs[i] = Attribute{Name: fmt.Sprint("a", i), Type: TypeString}
		}
		return attrs
	}
	for name, tc := range map[string]struct {
		attrs []Attribute
		want  string
	}{
		"ok/every type": {attrs: []Attribute{
			{"s", TypeString, nil},
			{"d", TypeDecimal, nil},
			{"i", TypeInteger, nil},
			{"b", TypeBoolean, nil},
			{"day", TypeDate, nil},
			{"at", TypeDateTime, nil},
			{"l", TypeList, []Field{{"Any name", TypeDate, nil}}},
		}},
		"ok/any script":         {attrs: []Attribute{{"Lieblingsfarbe & größe", TypeString, nil}}},
		"ok/longest name":       {attrs: []Attribute{{strings.Repeat("ü", 256), TypeString, nil}}},
		"fail/name too long":    {attrs: []Attribute{{strings.Repeat("ü", 257), TypeString, nil}}, want: "the name has 257 characters, at most 256"},
		"fail/name empty":       {attrs: []Attribute{{" ", TypeString, nil}}, want: `attribute " ": the name is empty`},
		"fail/name in brackets": {attrs: []Attribute{{"a[0]", TypeString, nil}}, want: `attribute "a[0]": the name has one of`},
		"fail/name in braces":   {attrs: []Attribute{{"a}", TypeString, nil}}, want: "the name has one of"},
		"fail/name with NUL":    {attrs: []Attribute{{"a\x00", TypeString, nil}}, want: "control character"},
		"fail/name not UTF-8":   {attrs: []Attribute{{"a\xff", TypeString, nil}}, want: "not UTF-8"},
		"fail/names fold":       {attrs: []Attribute{{"Car", TypeString, nil}, {"cAr", TypeString, nil}}, want: `attribute "cAr": defined twice, as "Car" before`},
		"fail/event type":       {attrs: []Attribute{{"n", TypeNumeric, nil}}, want: `attribute "n": field "n": type "numeric" is not possible here`},
		"fail/no type":          {attrs: []Attribute{{"n", "", nil}}, want: `type "" is not possible`},
		"fail/empty list":       {attrs: []Attribute{{"l", TypeList, nil}}, want: "a list has 1 to 128 fields"},
		"fail/list in list":     {attrs: []Attribute{{"l", TypeList, []Field{{"m", TypeList, manyFields(1)}}}}, want: `type "list" is not possible here`},
		"fail/item field fold":  {attrs: []Attribute{{"l", TypeList, []Field{{"a", TypeDate, nil}, {"A", TypeDate, nil}}}}, want: `field "A": defined twice`},
		"fail/id of items":      {attrs: []Attribute{{"l", TypeList, []Field{{"__ID", TypeString, nil}}}}, want: "taken by the ids of list items"},
		"ok/most attributes":    {attrs: many(256)},
		"fail/too many":         {attrs: many(257), want: "257 custom attributes are defined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(nil, tc.attrs, Options{})
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestB29Titles(t *testing.T) {
	t.Parallel()
	s, err := New([]Definition{{ID: "action", Title: "Action!"}}, nil, Options{})
	require.NoError(t, err)
	for id, want := range map[string]string{
		EventPageView: "Page view", EventSessionStarted: "Session started", EventSessionEnded: "Session ended",
		EventPersonMerged: "Person merged", "action": "Action!", "gone": "gone",
	} {
		assert.Equal(t, want, s.Title(id))
	}
}

func TestAttributeIsFoundInAnyCase(t *testing.T) {
	t.Parallel()
	s, err := New(nil, []Attribute{{Name: "Größe", Type: TypeString}}, Options{})
	require.NoError(t, err)
	_, ok := s.Attribute("GRÖSSE")
	assert.False(t, ok, "folding goes letter by letter")
	attr, ok := s.Attribute("gRÖße")
	require.True(t, ok)
	assert.Equal(t, "Größe", attr.Name)
	assert.Equal(t, TypeString, attr.Type)
}
