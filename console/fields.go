package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// field is a name with a value as a page shows it.
type field struct {
	Name, Value string
	Href        string // of an http or https address, "" for everything else
	Block       bool   // several lines
}

// fieldsOf reads an object in the order it was written; anything else gives
// nothing.
func fieldsOf(object json.RawMessage) []field {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	var fields []field
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return fields
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fields
		}
		text, _ := name.(string)
		fields = append(fields, valueField(text, value))
	}
	return fields
}

// valueField shows a JSON value: text as it is, arrays and objects indented.
func valueField(name string, raw json.RawMessage) field {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return textField(name, text)
	}
	if len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') {
		var indented bytes.Buffer
		if json.Indent(&indented, raw, "", "  ") == nil {
			return field{Name: name, Value: indented.String(), Block: true}
		}
	}
	return field{Name: name, Value: string(raw)}
}

func textField(name, text string) field {
	return field{Name: name, Value: text, Href: webAddress(text), Block: strings.Contains(text, "\n")}
}

// webAddress returns text when it is an http or https address, else "": a
// visitor may have typed javascript: or data: where an address is expected.
func webAddress(text string) string {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || (address.Scheme != "https" && address.Scheme != "http") {
		return ""
	}
	// No host has parentheses, as in "https://shop(", which the template
	// would escape into what no browser goes to.
	if strings.ContainsFunc(address.Host, func(r rune) bool {
		return r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-_:[]", r)
	}) {
		return ""
	}
	return text
}

// table is a custom attribute of type list.
type table struct {
	Name    string
	Columns []string
	Rows    [][]field // in the order of Columns
}

// attributes splits custom attributes into single values and lists, each in
// the order of their names.
func attributes(custom map[string]json.RawMessage) (values []field, lists []table) {
	names := make([]string, 0, len(custom))
	for name := range custom {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var items []json.RawMessage
		if json.Unmarshal(custom[name], &items) == nil && items != nil {
			lists = append(lists, tableOf(name, items))
			continue
		}
		values = append(values, valueField(name, custom[name]))
	}
	return values, lists
}

// itemID is the id that every item of a list carries.
const itemID = "__id"

func tableOf(name string, items []json.RawMessage) table {
	list := table{Name: name}
	rows := make([]map[string]field, len(items))
	for i, item := range items {
		rows[i] = map[string]field{}
		for _, field := range fieldsOf(item) {
			if field.Name == itemID {
				continue
			}
			rows[i][field.Name] = field
			if !slices.Contains(list.Columns, field.Name) {
				list.Columns = append(list.Columns, field.Name)
			}
		}
	}
	for _, row := range rows {
		cells := make([]field, len(list.Columns))
		for i, column := range list.Columns {
			cells[i] = row[column]
		}
		list.Rows = append(list.Rows, cells)
	}
	return list
}
