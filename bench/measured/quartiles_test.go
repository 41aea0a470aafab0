package measured_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

func TestQuartilesInterpolate(t *testing.T) {
	for _, c := range []struct {
		list []float64
		want measured.Quartiles
	}{
		{nil, measured.Quartiles{}},
		{[]float64{2}, measured.Quartiles{Low: 2, Median: 2, High: 2}},
		{[]float64{2, 1}, measured.Quartiles{Low: 1.25, Median: 1.5, High: 1.75}},
		{[]float64{5, 1, 4, 2, 3}, measured.Quartiles{Low: 2, Median: 3, High: 4}},
	} {
		assert.Equal(t, c.want, measured.Of(c.list), "%v", c.list)
	}
}
