package schema

// EventField returns the type of a property of an event, as [Schema.CheckEvent]
// judges it: "" where any scalar is taken because no event is defined. The
// error says that the event or the property is not defined.
func (s *Schema) EventField(eventID, name string) (Type, error) {
	rule, err := s.eventRule(eventID)
	if err != nil {
		return "", err
	}
	if rule.open {
		return "", checkFieldName(name)
	}
	return rule.typeOf(name)
}

// CheckList says why appendToList is not possible on a custom attribute, nil when
// it is.
func (s *Schema) CheckList(attributeName string) error {
	_, err := s.listAttribute(attributeName)
	return err
}

// ItemField returns the type of a property of the items of a list attribute, as
// [Schema.CheckListItem] judges it.
func (s *Schema) ItemField(attributeName, name string) (Type, error) {
	attr, err := s.listAttribute(attributeName)
	if err != nil {
		return "", err
	}
	return attr.items.typeOf(name)
}

func (r *objectRule) typeOf(name string) (Type, error) {
	f, ok := r.fields[name]
	if !ok {
		return "", within(faultf("is not defined"), name)
	}
	return f.typ, nil
}
