//go:build linux

package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/bench/measured"
)

// TestMain lets the test binary be the peer, as the program itself is.
func TestMain(m *testing.M) {
	if os.Getenv(peerMark) != "" {
		servePeer(os.Stdin, os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// TestSmoke runs everything once, in small. It expects no figure: that all
// sides answer alike but for the script is what run itself insists on.
func TestSmoke(t *testing.T) {
	var out bytes.Buffer
	o := options{rounds: 2, pause: 20 * time.Millisecond}
	require.NoError(t, o.read("cpu,counts,firstbyte,memory", ""))
	require.NoError(t, run(o, &out))
	for _, k := range cases() {
		assert.Contains(t, out.String(), "\n"+k.name)
	}
	assert.Contains(t, out.String(), "control more")
	assert.Contains(t, out.String(), "inside head, encoding open")
	assert.Contains(t, out.String(), "ours less plain")
}

func TestSidesThatDifferAreRefused(t *testing.T) {
	b, err := newBench()
	require.NoError(t, err)
	t.Cleanup(b.close)
	require.NoError(t, b.compare())
	at := b.sites[bare]
	for name, swapped := range map[string][sides]string{
		"no script in ours":   {plain: at[plain], control: at[control], ours: at[plain]},
		"a script in plain":   {plain: at[ours], control: at[control], ours: at[ours]},
		"a script in control": {plain: at[plain], control: at[ours], ours: at[ours]},
	} {
		t.Run(name, func(t *testing.T) {
			changed := *b
			changed.sites = map[variant][sides]string{bare: swapped, encode: b.sites[encode]}
			assert.Error(t, changed.compare())
		})
	}
}

func TestSeriesComparesWithinARound(t *testing.T) {
	s := series{plain: {1, 10, 100}, ours: {2, 20, 200}, control: {1, 10, 100}}
	assert.Equal(t, measured.Quartiles{Low: 2, Median: 2, High: 2}, s.ratios(ours))
	assert.Equal(t, measured.Quartiles{Low: 1, Median: 1, High: 1}, s.ratios(control))
	assert.Equal(t, measured.Quartiles{Low: 5.5, Median: 10, High: 55}, s.differences(ours))
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		rounds      int
		parts, only string
	}{
		"unknown part":   {1, "cpu,disk", ""},
		"no round":       {0, "cpu", ""},
		"broken pattern": {1, "cpu", "("},
	} {
		t.Run(name, func(t *testing.T) {
			o := options{rounds: c.rounds}
			assert.Error(t, o.read(c.parts, c.only))
		})
	}
}
