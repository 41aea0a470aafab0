package tracker

import (
	"context"
	"errors"
	"sync"

	"github.com/livechat-people/caddy-people-tracking/store"
	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

// verdict is how the definitions of an account stand to those that values were
// stored by.
type verdict struct {
	additions      []schema.Shape // what is new, or more than there was
	contradictions []contradiction
}

type contradiction struct {
	earlier schema.Shape
	reason  string
}

// judgeSchema reads what is remembered of every definition.
func judgeSchema(r store.Reader, a Account, defined *schema.Schema) (verdict, error) {
	var v verdict
	for _, shape := range defined.Shapes() {
		changed, refused, err := judgeShape(r, a, shape)
		switch {
		case err != nil:
			return v, err
		case refused != nil:
			v.contradictions = append(v.contradictions, *refused)
		case changed != nil:
			v.additions = append(v.additions, shape)
		}
	}
	return v, nil
}

// judgeShape says what is to be remembered of a shape, nil when all of it is.
func judgeShape(r store.Reader, a Account, shape schema.Shape) (*schema.Shape, *contradiction, error) {
	value, err := r.Get(definitionKey(a, shape))
	if err != nil {
		return nil, nil, err
	}
	if len(value) == 0 {
		return &shape, nil, nil
	}
	before, err := decodeShape(shape.Event, value)
	if err != nil {
		return nil, nil, err
	}
	all, refused := extend(shape, before)
	if refused != nil || all.Equal(before) {
		return nil, refused, nil
	}
	return &all, nil, nil
}

func extend(shape, before schema.Shape) (schema.Shape, *contradiction) {
	all, err := shape.Extend(before)
	if err != nil {
		return before, &contradiction{before, err.Error()}
	}
	return all, nil
}

// remember puts what is new of an account's definitions into the store, and
// returns what contradicts it. Each definition is a transaction of its own,
// judged again inside it: another proxy may have been first.
func (s *Service) remember(ctx context.Context, a Account, defined *schema.Schema) ([]contradiction, error) {
	var v verdict
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		v, err = judgeSchema(r, a, defined)
		return err
	})
	if err != nil {
		return nil, err
	}
	const atOnce = 64
	late, errs := make([]*contradiction, len(v.additions)), make([]error, len(v.additions))
	for from := 0; from < len(v.additions); from += atOnce {
		var some sync.WaitGroup
		for i := from; i < min(from+atOnce, len(v.additions)); i++ {
			some.Go(func() { late[i], errs[i] = s.rememberShape(ctx, a, v.additions[i]) })
		}
		some.Wait()
	}
	for _, c := range late {
		if c != nil {
			v.contradictions = append(v.contradictions, *c)
		}
	}
	return v.contradictions, errors.Join(errs...)
}

func (s *Service) rememberShape(ctx context.Context, a Account, shape schema.Shape) (refused *contradiction, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) error {
		all, contradicts, err := judgeShape(tx, a, shape)
		refused = contradicts
		if err != nil || all == nil {
			return err
		}
		return tx.Put(definitionKey(a, shape), encodeShape(*all))
	})
	return refused, err
}

func encodeShape(s schema.Shape) []byte {
	e := newEncoder(256)
	encodeField(e, schema.Field{Name: s.Name, Type: s.Type, Fields: s.Fields})
	return e.b
}

func encodeField(e *encoder, f schema.Field) {
	e.string(1, f.Name)
	e.string(2, string(f.Type))
	for _, inner := range f.Fields {
		e.nested(3, func(e *encoder) { encodeField(e, inner) })
	}
}

func decodeShape(event bool, value []byte) (schema.Shape, error) {
	var f schema.Field
	var inner error
	err := decodeValue(value, func(part field) { inner = firstError(inner, takeField(&f, part, 0)) })
	return schema.Shape{Event: event, Name: f.Name, Type: f.Type, Fields: f.Fields}, firstError(err, inner)
}

// takeField reads one member of a field. The items of an event's list are the
// deepest there are.
func takeField(into *schema.Field, part field, depth int) error {
	switch part.number {
	case 1:
		into.Name = part.string()
	case 2:
		into.Type = schema.Type(part.string())
	case 3:
		if depth == 2 {
			return errMalformed
		}
		var f schema.Field
		var inner error
		err := decodeFields(part.data, func(p field) { inner = firstError(inner, takeField(&f, p, depth+1)) })
		into.Fields = append(into.Fields, f)
		return firstError(err, inner)
	}
	return nil
}
