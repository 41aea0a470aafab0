package schema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkCheckEvent(b *testing.B) {
	s := eventSchema(b)
	properties := []byte(`{"name":"Button clicked","label":"add-to-favorites"}`)
	_, err := s.CheckEvent("action", properties)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.CheckEvent("action", properties)
	}
}
