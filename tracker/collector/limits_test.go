package collector

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limited returns a handler with small limits and a way to send n calls.
func limited(t *testing.T, limits Limits) (send func(n int, address, device string) (status int, retryAfter string), pass func(time.Duration), fake *fakeTracker) {
	now := testTime
	h, fake := newHandler(t, func(c *Config) {
		c.Limits = limits
		c.Now = func() time.Time { return now }
	})
	send = func(n int, address, device string) (int, string) {
		r := post(calls(n))
		r.RemoteAddr = address
		if device != "" {
			r.Header.Set("Cookie", "__Secure-people="+device)
		}
		w := serve(h, r)
		if w.Code == http.StatusTooManyRequests {
			requireRefusal(t, w, 429, "too many calls")
		}
		return w.Code, w.Header().Get("Retry-After")
	}
	return send, func(d time.Duration) { now = now.Add(d) }, fake
}

func TestB38AddressLimit(t *testing.T) {
	send, pass, fake := limited(t, Limits{Address: Limit{PerSecond: 10, Burst: 100}})
	expect := func(n int, address string, status int, retryAfter string) {
		t.Helper()
		gotStatus, gotAfter := send(n, address, "")
		assert.Equal(t, status, gotStatus)
		assert.Equal(t, retryAfter, gotAfter)
	}
	expect(60, "198.51.100.7:1000", 200, "")
	expect(40, "198.51.100.250:2000", 200, "") // same /24
	expect(1, "198.51.100.7:1000", 429, "1")
	require.Len(t, fake.requests, 2, "nothing reaches the tracker")
	expect(1, "198.51.101.7:1000", 200, "") // the next /24
	pass(time.Second)
	expect(10, "198.51.100.7:1000", 200, "")
	expect(1, "198.51.100.7:1000", 429, "1")
	pass(100 * time.Millisecond)
	expect(51, "198.51.100.7:1000", 429, "5") // takes the one it has, lacks 50
	pass(5 * time.Second)
	expect(50, "198.51.100.7:1000", 200, "")
	assert.Len(t, fake.requests, 5)
}

func TestB38DeviceLimit(t *testing.T) {
	send, pass, fake := limited(t, Limits{Device: Limit{PerSecond: 1, Burst: 100}})
	status, _ := send(100, "198.51.100.7:1", "device-a")
	require.Equal(t, 200, status)
	status, after := send(1, "203.0.113.7:1", "device-a")
	assert.Equal(t, 429, status, "the device is known by its cookie wherever it is")
	assert.Equal(t, "1", after)
	assert.Len(t, fake.requests, 1, "nothing reaches the tracker")
	status, _ = send(1, "203.0.113.7:1", "device-b")
	assert.Equal(t, 200, status)
	status, _ = send(1, "203.0.113.7:1", "")
	assert.Equal(t, 200, status, "the address alone counts where there is no cookie")
	pass(time.Second)
	status, _ = send(1, "203.0.113.7:1", "device-a")
	assert.Equal(t, 200, status)
}

func TestB38DefaultsTakeAFullQueue(t *testing.T) {
	send, _, _ := limited(t, Limits{})
	for range 5 { // 500 calls, what an SDK keeps at most
		status, _ := send(100, "198.51.100.7:1", "device-a")
		require.Equal(t, 200, status)
	}
}

func TestB38NoAddressIsNotLimited(t *testing.T) {
	send, _, _ := limited(t, Limits{Address: Limit{PerSecond: 1, Burst: 100}})
	for range 3 {
		status, _ := send(100, "@", "") // a Unix socket
		require.Equal(t, 200, status)
	}
}

func TestB38ClientIP(t *testing.T) {
	h, _ := newHandler(t, func(c *Config) {
		c.Limits.Address = Limit{PerSecond: 1, Burst: 100}
		c.ClientIP = func(r *http.Request) string { return r.Header.Get("X-Test-Client") }
	})
	for i := range 3 {
		r := post(calls(100))
		r.Header.Set("X-Test-Client", fmt.Sprintf("203.0.%d.1", i))
		assert.Equal(t, 200, serve(h, r).Code, "callers behind one proxy are told apart")
	}
}

func TestB38Memory(t *testing.T) {
	l, err := NewLimiter(Limits{})
	require.NoError(t, err)
	for i := range 5 * limitEntries {
		addr := netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1})
		who := subject{address: addressPrefix(addr.String())}
		who.setDevice([]string{fmt.Sprint(i)})
		require.Zero(t, l.take(who, 1, testTime))
	}
	assert.LessOrEqual(t, l.addresses.byKey.len(), 2*limitEntries)
	assert.LessOrEqual(t, l.devices.byKey.len(), 2*limitEntries)
}

// Sites that share a limiter share what a network and a device may do.
func TestB38SharedBySites(t *testing.T) {
	shared, err := NewLimiter(Limits{Address: Limit{PerSecond: 1, Burst: 100}})
	require.NoError(t, err)
	one, _ := newHandler(t, func(c *Config) { c.Limiter = shared })
	other, _ := newHandler(t, func(c *Config) { c.Limiter = shared })
	require.Equal(t, 200, serve(one, post(calls(60))).Code)
	require.Equal(t, 200, serve(other, post(calls(40))).Code)
	for _, h := range []*Handler{one, other} {
		assert.Equal(t, 429, serve(h, post(calls(1))).Code)
	}
}

// An attacker who changes addresses within a prefix, or cookies behind one
// address, gains nothing.
func TestB38PrefixesOfIPv6(t *testing.T) {
	send, _, _ := limited(t, Limits{Address: Limit{PerSecond: 1, Burst: 100}})
	for i := range 100 {
		status, _ := send(1, fmt.Sprintf("[2001:db8:7:%x::%x]:443", i, i), fmt.Sprint("device-", i))
		require.Equal(t, 200, status)
	}
	status, after := send(1, "[2001:db8:7:ffff:ffff::1]:443", "another")
	assert.Equal(t, 429, status)
	assert.Equal(t, "1", after)
	status, _ = send(1, "[2001:db8:8::1]:443", "another")
	assert.Equal(t, 200, status, "the next /48")
}

func TestAddressPrefix(t *testing.T) {
	for remote, want := range map[string]string{
		"198.51.100.7":             "198.51.100.0/24",
		"198.51.100.7:443":         "198.51.100.0/24",
		"[2001:db8:1:2::3]:443":    "2001:db8:1::/48",
		"2001:db8:1:2::3":          "2001:db8:1::/48",
		"::ffff:198.51.100.7":      "198.51.100.0/24",
		"[fe80::1%eth0]:443":       "fe80::/48",
		"@":                        "invalid Prefix",
		"":                         "invalid Prefix",
		"shop.example:443":         "invalid Prefix",
		"198.51.100.7, 10.0.0.1":   "invalid Prefix",
		"198.51.100.7:443:443":     "invalid Prefix",
		"[::ffff:198.51.100.7]:80": "198.51.100.0/24",
	} {
		assert.Equal(t, want, addressPrefix(remote).String(), remote)
	}
}

func TestRecentKeepsWhatIsUsed(t *testing.T) {
	c := newRecent[int, string](3)
	c.put(0, "kept")
	for i := 1; i < 50; i++ {
		c.put(i, "x")
		value, ok := c.get(0)
		require.True(t, ok)
		require.Equal(t, "kept", value)
		require.LessOrEqual(t, c.len(), 6)
	}
	_, ok := c.get(1)
	assert.False(t, ok, "what is not used is forgotten")
	c.put(0, "new")
	value, _ := c.get(0)
	assert.Equal(t, "new", value)
}

// len is the number of entries held, a key in both maps counted twice.
func (c *recent[K, V]) len() int { return len(c.newer) + len(c.old) }
