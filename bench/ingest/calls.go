//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// device is a browser that is known to a side.
type device struct {
	cookie string
	epoch  string
	boot   string // until it has a cookie
	tab    string
	calls  int
	stub   bool // its side answers nothing that could be judged
}

func newDevice(random *rand.Rand) *device {
	return &device{
		boot: fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()),
		tab:  strconv.FormatUint(1<<40|random.Uint64()>>24, 36),
	}
}

const stamp = "2006-01-02T15:04:05.000Z"

// body writes a request with n calls: one of ten is a page view.
func (d *device) body(b []byte, n int, now time.Time) []byte {
	b = append(b, `{"apiKey":"`+benchKey+`","sentAt":"`...)
	b = now.AppendFormat(b, stamp)
	if d.boot != "" {
		b = append(append(b, `","boot":"`...), d.boot...)
	}
	b = append(b, `","pages":[{"url":"https://shop.example/products/shoes?color=red&size=42","title":"Red shoes, size 42","referrer":"https://search.example/",`+
		`"language":"en-GB","websiteLanguage":"en"}],"calls":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		d.calls++
		b = append(append(b, `{"id":"`...), d.tab...)
		b = strconv.AppendInt(append(b, '-'), int64(d.calls), 10)
		b = append(b, `","at":"`...)
		b = now.AppendFormat(b, stamp)
		if d.epoch != "" {
			b = append(append(b, `","epoch":"`...), d.epoch...)
		}
		if d.calls%10 == 1 {
			b = append(b, `","page":0,"method":"page","params":{}}`...)
			continue
		}
		b = append(b, `","page":0,"method":"track","params":{"eventId":"action","properties":{"name":"Button clicked","label":"add-to-favorites-`...)
		b = strconv.AppendInt(b, int64(d.calls), 10)
		b = append(b, `"}}}`...)
	}
	return append(b, `]}`...)
}

// chatStarted writes the call that makes the visitor a lead.
func (d *device) chatStarted(b []byte, now time.Time) []byte {
	d.calls++
	return fmt.Appendf(b, `{"apiKey":%q,"sentAt":%q,"pages":[],"calls":[{"id":"%s-%d","at":%q,"epoch":%q,"method":"chat","params":{"state":"started","widgetId":%q}}]}`,
		benchKey, now.Format(stamp), d.tab, d.calls, now.Format(stamp), d.epoch, benchWidget)
}

// request puts the body behind the header that a browser sends.
func (d *device) request(b []byte, address string, body []byte) []byte {
	b = append(append(b, "POST "+batchPath+" HTTP/1.1\r\nHost: "...), address...)
	b = append(append(b, "\r\nOrigin: http://"...), address...)
	b = append(b, "\r\nContent-Type: application/json\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.5\r\n"+
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"+
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"...)
	if d.cookie != "" {
		b = append(append(append(b, "Cookie: _people="...), d.cookie...), "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...)
}
