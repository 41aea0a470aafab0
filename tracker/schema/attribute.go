package schema

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// attribute reads the value of a custom attribute. Lists are filled by
// appendToList alone, which gives every item its id: here they can be cleared.
func (p *personParser) attribute(name string) error {
	attr, ok := p.schema.attributes[foldName(name)]
	if !ok {
		p.warnings.add(Warning{Code: WarnUndefinedAttribute, Message: "custom attribute " + quoted(name) + " is not defined and was ignored"})
		return p.skip()
	}
	if p.hasAttribute(attr.Name) {
		return faultf("is given twice, names are compared without regard to case")
	}
	if p.isNull() {
		if err := p.clearAttribute(attr); err != nil {
			return err
		}
		return p.skip()
	}
	if attr.Type == TypeList {
		return faultf("is a list, use appendToList() to add to it, or null to clear it")
	}
	value, err := p.attributeValue(attr.Type)
	if err != nil {
		return err
	}
	p.update.Attributes[attr.Name] = value
	return nil
}

func (p *personParser) attributeValue(t Type) ([]byte, error) {
	if t != TypeString {
		return appendScalar(nil, p.dec, t)
	}
	text, err := readString(p.dec, typeWords[t])
	if err != nil {
		return nil, err
	}
	if text, err = atMost(maxAttributeChars)(text); err != nil {
		return nil, err
	}
	return jsontext.AppendQuote(nil, text)
}

func (p *personParser) hasAttribute(name string) bool {
	_, set := p.update.Attributes[name]
	return set || slices.Contains(p.update.ClearAttributes, name)
}

func (p *personParser) clearAttribute(attr attribute) error {
	if attr.Type == TypeList {
		p.listsCleared++
		if p.listsCleared > maxListsCleared {
			return faultf("is one list too many, at most %d can be cleared in a call", maxListsCleared)
		}
	}
	p.update.ClearAttributes = append(p.update.ClearAttributes, attr.Name)
	return nil
}

// clearAllAttributes is customAttributes: null.
func (p *personParser) clearAllAttributes() error {
	for _, attr := range p.schema.custom {
		if err := p.clearAttribute(p.schema.attributes[foldName(attr.Name)]); err != nil {
			return within(err, attr.Name)
		}
	}
	return p.skip()
}
