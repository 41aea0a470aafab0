package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExtend(t *testing.T) {
	event := func(fields ...Field) Shape { return Shape{Event: true, Name: "purchase", Fields: fields} }
	attribute := func(typ Type, fields ...Field) Shape { return Shape{Name: "Car", Type: typ, Fields: fields} }
	list := func(name string, fields ...Field) Field { return Field{Name: name, Type: TypeList, Fields: fields} }
	text, price := Field{Name: "id", Type: TypeString}, Field{Name: "price", Type: TypeDecimal}
	many := func(n int) (fields []Field) {
		for i := range n {
			fields = append(fields, Field{Name: fmt.Sprintf("f%d", i), Type: TypeString})
		}
		return fields
	}
	for name, tt := range map[string]struct {
		before, now, want Shape
		reason            string
	}{
		"ok/nothing new":          {before: event(text, price), now: event(price), want: event(text, price)},
		"ok/new at the end":       {before: event(text), now: event(price, text), want: event(text, price)},
		"ok/a list":               {before: event(text), now: event(list("items", price)), want: event(text, list("items", price))},
		"ok/new in a list":        {before: event(list("items", text)), now: event(list("items", price)), want: event(list("items", text, price))},
		"ok/attribute":            {before: attribute(TypeString), now: attribute(TypeString), want: attribute(TypeString)},
		"ok/field of a list":      {before: attribute(TypeList, text), now: attribute(TypeList, text, price), want: attribute(TypeList, text, price)},
		"fail/string to list":     {before: attribute(TypeString), now: attribute(TypeList, text), reason: `attribute "Car": what is stored is of type string and cannot become list`},
		"fail/whole to decimal":   {before: attribute(TypeInteger), now: attribute(TypeDecimal), reason: "is of type integer and cannot become decimal"},
		"fail/attribute's case":   {before: attribute(TypeString), now: Shape{Name: "CAR", Type: TypeString}, reason: `attribute "CAR" was called "Car" before`},
		"fail/type in a list":     {before: event(list("items", text)), now: event(list("items", Field{Name: "id", Type: TypeNumeric})), reason: `event "purchase": property "items.id": what is stored is of type string and cannot become numeric`},
		"fail/list to string":     {before: event(list("items", text)), now: event(Field{Name: "items", Type: TypeString}), reason: `property "items": what is stored is of type list and cannot become string`},
		"fail/property's case":    {before: event(text), now: event(Field{Name: "iD", Type: TypeString}), reason: `property "iD" was called "id" before`},
		"fail/two lists by turns": {before: event(list("items", text)), now: event(list("others", text)), reason: "an event has at most one list (what was defined before is counted)"},
		"fail/too many by turns":  {before: event(many(120)...), now: event(text), reason: "121 fields are defined, at most 120 are possible"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tt.now.Extend(tt.before)
			if tt.reason != "" {
				require.ErrorContains(t, err, tt.reason)
				assert.Equal(t, tt.before, got, "the earlier one stays in force")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			again, err := tt.now.Extend(got)
			require.NoError(t, err)
			assert.True(t, again.Equal(got), "what is remembered does not change any more")
		})
	}
}

func TestShapesOfASchemaAndBack(t *testing.T) {
	s, err := New(
		[]Definition{{ID: "b", Title: "B", Fields: []Field{{Name: "x", Type: TypeString}}}, {ID: "a", Title: "A"}},
		[]Attribute{{Name: "Car", Type: TypeString}}, Options{Strict: true})
	require.NoError(t, err)
	assert.Equal(t, []Shape{
		{Event: true, Name: "b", Fields: []Field{{Name: "x", Type: TypeString}}}, {Event: true, Name: "a"}, {Name: "Car", Type: TypeString},
	}, s.Shapes())
	other, err := s.With([]Shape{
		{Event: true, Name: "b", Fields: []Field{{Name: "x", Type: TypeNumeric}}},
		{Name: "car", Type: TypeList, Fields: []Field{{Name: "y", Type: TypeString}}},
	})
	require.NoError(t, err)
	_, err = other.CheckEvent("b", []byte(`{"x":5}`))
	require.NoError(t, err)
	assert.Equal(t, "B", other.Title("b"), "titles are the new ones")
	_, err = other.CheckListItem("Car", []byte(`{"y":"z"}`))
	require.NoError(t, err)
	attr, _ := other.Attribute("CAR")
	assert.Equal(t, "car", attr.Name, "the name that values are stored under")
	_, err = other.CheckEvent("c", nil)
	require.Error(t, err, "still strict")
	_, err = s.CheckEvent("b", []byte(`{"x":5}`))
	assert.Error(t, err, "the schema itself is as it was")
}

func TestNamesOfItemsAreBounded(t *testing.T) {
	var fields []Field
	for i := range 128 {
		fields = append(fields, Field{Name: strings.Repeat("ü", 150) + fmt.Sprint(i), Type: TypeString})
	}
	_, err := New(nil, []Attribute{{Name: "a", Type: TypeList, Fields: fields}}, Options{})
	require.ErrorContains(t, err, "at most 32768 are possible")
	_, err = New(nil, []Attribute{{Name: "a", Type: TypeList, Fields: fields[:100]}}, Options{})
	assert.NoError(t, err)
}
