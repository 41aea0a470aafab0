package instrument

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// The types of values, by the numbers that types.ts has for them.
const (
	kindString = iota
	kindBoolean
	kindDecimal
	kindWhole
	kindDate
	kindDateTime
	kindEmail
	kindPhone
	kindTag
)

var kinds = map[schema.Type]int{
	schema.TypeString: kindString, schema.TypeBoolean: kindBoolean, schema.TypeDecimal: kindDecimal,
	schema.TypeNumeric: kindWhole, schema.TypeInteger: kindWhole, schema.TypeDate: kindDate, schema.TypeDateTime: kindDateTime,
	"": kindString, // of an event that is not defined
}

// field is where a value goes in the parameters of a call.
type field struct {
	path []string
	kind int
}

// literal converts the text of a literal. What does not fit stays a string, for
// the definitions to refuse in their words.
func (f field) literal(text string) (any, error) {
	switch f.kind {
	case kindBoolean:
		if text == "true" || text == "false" {
			return text == "true", nil
		}
	case kindDecimal, kindWhole:
		var number json.Number
		if json.Unmarshal([]byte(text), &number) == nil && text[0] != '"' {
			return number, nil
		}
	case kindEmail:
		return []any{map[string]string{"address": text}}, nil
	case kindPhone:
		return []any{map[string]string{"number": text}}, nil
	case kindTag:
		return []string{text}, nil
	}
	if text == "" {
		return nil, errors.New("the value is empty")
	}
	return text, nil
}

// target is a call with what its definitions say.
type target struct {
	method string
	known  func(defs *schema.Schema, name string) error
	field  func(defs *schema.Schema, name, property string) (field, error)
	// judge checks the values of a call.
	judge func(defs *schema.Schema, name string, values []byte) error
	// params puts the values where the call has them. What is not read in the
	// page stands where the script does not take it for a value.
	params func(name string, values *object) *object
}

var targets = map[string]target{
	CallTrack: {
		method: "track",
		known: func(defs *schema.Schema, id string) error {
			_, err := defs.CheckEvent(id, nil)
			return err
		},
		field: func(defs *schema.Schema, id, property string) (field, error) {
			t, err := defs.EventField(id, property)
			return scalar(t, err, property)
		},
		judge: func(defs *schema.Schema, id string, values []byte) error {
			_, err := defs.CheckEvent(id, values)
			return err
		},
		params: func(id string, values *object) *object {
			params := &object{}
			if len(values.names) > 0 {
				params.add("properties", values)
			}
			params.add("eventId", id)
			return params
		},
	},
	CallAppendToList: {
		method: "appendToList",
		known:  (*schema.Schema).CheckList,
		field: func(defs *schema.Schema, attribute, property string) (field, error) {
			t, err := defs.ItemField(attribute, property)
			return scalar(t, err, property)
		},
		judge: func(defs *schema.Schema, attribute string, values []byte) error {
			_, err := defs.CheckListItem(attribute, values)
			return err
		},
		params: func(attribute string, values *object) *object {
			params := &object{}
			params.add("attributeName", attribute)
			params.add("value", values)
			return params
		},
	},
	CallUpdatePerson: {
		method: "updatePerson",
		known:  func(*schema.Schema, string) error { return nil },
		field:  personField,
		judge: func(defs *schema.Schema, _ string, values []byte) error {
			_, warnings, err := defs.ParsePerson(values)
			if err == nil && len(warnings) > 0 {
				err = errors.New(warnings[0].Message)
			}
			return err
		},
		params: func(_ string, values *object) *object { return values },
	},
}

func scalar(t schema.Type, err error, property string) (field, error) {
	if err != nil {
		return field{}, err
	}
	kind, ok := kinds[t]
	if !ok {
		return field{}, fmt.Errorf("a rule cannot fill a %s", t)
	}
	return field{[]string{property}, kind}, nil
}

const (
	contacts   = "contactInformation"
	attributes = "customAttributes"
)

// personFields are the properties of a person that rules can update, beside
// custom attributes.
var personFields = func() map[string]field {
	fields := map[string]field{
		"tags":              {[]string{"tags"}, kindTag},
		"birthDate":         {[]string{"birthDate"}, kindDate},
		contacts + ".email": {[]string{contacts, "email"}, kindEmail},
		contacts + ".phone": {[]string{contacts, "phone"}, kindPhone},
	}
	for _, name := range []string{
		"address", "city", "country", "firstName", "gender", "lastName", "middleName", "preferredLanguage", "profilePicture",
	} {
		fields[name] = field{[]string{name}, kindString}
	}
	return fields
}()

func personField(defs *schema.Schema, _, property string) (field, error) {
	if known, ok := personFields[property]; ok {
		return known, nil
	}
	name, ok := strings.CutPrefix(property, attributes+".")
	if !ok {
		return field{}, errors.New("no property of a person: use address, birthDate, city, country, firstName, gender, lastName, middleName, " +
			"preferredLanguage, profilePicture, tags, contactInformation.email, contactInformation.phone or customAttributes.<name>")
	}
	attribute, ok := defs.Attribute(name)
	if !ok {
		return field{}, fmt.Errorf("custom attribute %q is not defined", name)
	}
	kind, ok := kinds[attribute.Type]
	if !ok {
		return field{}, fmt.Errorf("custom attribute %s is a list, use %s", attribute.Name, CallAppendToList)
	}
	return field{[]string{attributes, attribute.Name}, kind}, nil
}
