package tracker

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkBatch is a request of a browser that is known, without the time an
// engine takes to make it durable.
func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("calls=%d", n), func(b *testing.B) {
			w := newWorld(b)
			anna := w.browser("anna")
			res, err := w.service.Batch(context.Background(), anna.request(anna.call(MethodPage, map[string]any{})))
			require.NoError(b, err)
			anna.device, anna.epoch = res.Device.Value, res.Epoch
			var calls []Call
			for range n {
				calls = append(calls, anna.call(MethodTrack, map[string]any{"eventId": "action", "properties": map[string]any{"name": "Button clicked", "label": "add"}}))
			}
			req := anna.request(calls...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for j := range req.Calls {
					req.Calls[j].ID = fmt.Sprintf("anna-%d", 2+i*n+j)
				}
				res, err := w.service.Batch(context.Background(), req)
				if err != nil || res.Results[0].Err != nil {
					b.Fatal(err, res.Results[0].Err)
				}
			}
		})
	}
}
