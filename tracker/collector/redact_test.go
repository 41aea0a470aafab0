package collector

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker"
)

func TestB32Addresses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"ok/plain", "https://shop.example/a/b", "https://shop.example/a/b"},
		{"ok/harmless", "https://shop.example/p?id=7&q=red+shoes&page=2#reviews", "https://shop.example/p?id=7&q=red+shoes&page=2#reviews"},
		{"ok/campaign", "https://shop.example/?utm_source=news&utm_campaign=spring%20sale&gclid=x", "https://shop.example/?utm_source=news&utm_campaign=spring%20sale&gclid=x"},
		{"ok/looks alike", "https://shop.example/?zipcode=12345&keyword=x&author=y&monkey=z&pinned=1&keys_shown=3&headphones=w&footprint=s", "https://shop.example/?zipcode=12345&keyword=x&author=y&monkey=z&pinned=1&keys_shown=3&headphones=w&footprint=s"},
		{"ok/empty parts", "https://shop.example/?&&a=&=b#", "https://shop.example/?&&a=&=b#"},
		{"ok/secret word in an application's route", "https://shop.example/#/sessions/list?page=2", "https://shop.example/#/sessions/list?page=2"},
		{"ok/at in the path", "https://a.example/@author/post@2x.png", "https://a.example/@author/post@2x.png"},
		{"ok/percent sign", "https://shop.example/?discount=100%&a=%zz", "https://shop.example/?discount=100%&a=%zz"},
		{"ok/international", "https://shop.example/%C3%A9t%C3%A9?q=%C3%A9", "https://shop.example/%C3%A9t%C3%A9?q=%C3%A9"},

		{"fail/named in the rule", "https://a.example/?token=1&code=2&key=3&password=4&email=5&session=6&x=7", "https://a.example/?token=&code=&key=&password=&email=&session=&x=7"},
		{"fail/compounds", "https://a.example/?access_token=1&id-token=2&reset.password=3&promo_code=4&user[email]=5&api_key=6&key2=7", "https://a.example/?access_token=&id-token=&reset.password=&promo_code=&user[email]=&api_key=&key2="},
		{"fail/camel case", "https://a.example/?authCode=1&APIKey=2&sessionId=3&PHPSESSID=4&userPIN=5&X-Amz-Signature=6&HTTPKey=7", "https://a.example/?authCode=&APIKey=&sessionId=&PHPSESSID=&userPIN=&X-Amz-Signature=&HTTPKey="},
		{"fail/numbers", "https://a.example/?phone=1&customerPhone=2&telephone=3&phone_number=4&otp1=5", "https://a.example/?phone=&customerPhone=&telephone=&phone_number=&otp1="},
		{"fail/deeper than looked", "https://a.example/?next=%252525252Fa&x=1", "https://a.example/?next=&x=1"},
		{"fail/capitals", "https://a.example/?TOKEN=1&Code=2", "https://a.example/?TOKEN=&Code="},
		{"fail/encoded name", "https://a.example/?%74oken=1&user%5Bpassword%5D=2", "https://a.example/?%74oken=&user%5Bpassword%5D="},
		{"fail/encoded value", "https://a.example/?token=a%26b%3Dc&x=1", "https://a.example/?token=&x=1"},
		{"fail/equals in the value", "https://a.example/?token=YWJj==&x=1", "https://a.example/?token=&x=1"},
		{"fail/question mark in the value", "https://a.example/?token=a?b&x=1", "https://a.example/?token=&x=1"},
		{"fail/semicolon in the value", "https://a.example/?token=a;b&x=1", "https://a.example/?token=&x=1"},
		{"fail/semicolons between pairs", "https://a.example/?a=1;token=x;b=2&c=3", "https://a.example/?a=1;token=&c=3"},
		{"fail/fragment", "https://a.example/#access_token=x&state=1", "https://a.example/#access_token=&state=1"},
		{"fail/fragment of an application", "https://a.example/#/reset?token=x&step=2", "https://a.example/#/reset?token=&step=2"},
		{"fail/hashbang", "https://a.example/#!token=x", "https://a.example/#!token="},
		{"fail/address in an address", "https://a.example/?next=https%3A%2F%2Fa.example%2Freset%3Ftoken%3Dx&y=1", "https://a.example/?next=&y=1"},
		{"fail/address in an address, bare", "https://a.example/?next=/reset?token=x&y=1", "https://a.example/?next=&y=1"},
		{"fail/address in an address, twice", "https://a.example/?next=%252Freset%253Ftoken%253Dx&y=1", "https://a.example/?next=&y=1"},
		{"fail/user in an address in an address", "https://a.example/?next=https%3A%2F%2Fu%3Ap%40b.example%2F", "https://a.example/?next="},
		{"fail/encoded pair", "https://a.example/?access_token%3Dabc&x=1", "https://a.example/?&x=1"},
		{"fail/encoded pair in the fragment", "https://a.example/#access_token%3Dabc", "https://a.example/#"},
		{"fail/encoded pair behind a semicolon", "https://a.example/?a=1;token%3Dabc", "https://a.example/?a=1;"},
		{"fail/encoded address alone", "https://a.example/?https%3A%2F%2Fu%3Ap%40b.example%2F&x=1", "https://a.example/?&x=1"},
		{"fail/encoded address as a name", "https://a.example/?https%3A%2F%2Fu%3Ap%40b.example%2F=1", "https://a.example/?=1"},
		{"fail/user of an address in the path", "https://a.example/to/https://u:p@b.example/x@y", "https://a.example/to/https://b.example/x@y"},
		{"fail/matrix pair, encoded", "https://a.example/shop;token%3Dabc/x", "https://a.example/shop;/x"},
		{"fail/user", "https://user:pass@a.example/x", "https://a.example/x"},
		{"fail/user with an at", "https://u@v:p@a.example:8443/x", "https://a.example:8443/x"},
		{"fail/user, no path", "https://u:p@a.example?x=1", "https://a.example?x=1"},
		{"fail/matrix parameter", "https://a.example/shop;jsessionid=ABC/cart;color=red", "https://a.example/shop;jsessionid=/cart;color=red"},
		{"fail/pair in the path", "https://a.example/confirm/token=abc/go", "https://a.example/confirm//go"},
		{"fail/encoded query in the path", "https://a.example/to/%2Freset%3Ftoken%3Dabc", "https://a.example/to/"},
		{"fail/configured", "https://a.example/?customerNo=1&customer_no=2&customer=3", "https://a.example/?customerNo=&customer_no=&customer=3"},
		{"fail/configured, in an application's route", "https://a.example/#/me?customer_no=1", "https://a.example/#/me?customer_no="},
		{"fail/configured word", "https://a.example/?loyalty=1&shop_loyalty=2&loyaltyprogram=3", "https://a.example/?loyalty=&shop_loyalty=&loyaltyprogram=3"},
	}
	r, err := newRedactor([]string{"customer_no", "Loyalty"})
	require.NoError(t, err)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, r.url(tt.in))
			assert.Equal(t, tt.want, r.url(tt.want), "nothing is left to remove")
		})
	}
}

func TestPages(t *testing.T) {
	long := "https://a.example/" + strings.Repeat("é", maxURLBytes)
	tests := []struct {
		name string
		in   wirePage
		want tracker.Page
	}{
		{
			"ok/whole",
			wirePage{"https://a.example/", "A", "http://b.example/?code=1", "en-GB", "zh-Hant-TW"},
			tracker.Page{URL: "https://a.example/", Title: "A", Referrer: "http://b.example/?code=", Language: "en-GB", WebsiteLanguage: "zh-Hant-TW"},
		},
		{"ok/referrer is an app", wirePage{Referrer: "android-app://com.example.app/"}, tracker.Page{Referrer: "android-app://com.example.app/"}},
		{"ok/scheme in capitals", wirePage{URL: "HTTPS://a.example/"}, tracker.Page{URL: "HTTPS://a.example/"}},
		{
			"ok/cut between characters",
			wirePage{URL: long, Title: strings.Repeat("ü", 300), Referrer: long},
			tracker.Page{URL: long[:maxURLBytes], Title: strings.Repeat("ü", 256), Referrer: long[:maxURLBytes]},
		},
		{"fail/script", wirePage{URL: "javascript:alert(1)", Referrer: "javascript://a.example/%0aalert(1)"}, tracker.Page{}},
		{"fail/data, blob, file", wirePage{URL: "data:text/html,x", Referrer: "blob:https://a.example/x"}, tracker.Page{}},
		{"fail/relative", wirePage{URL: "/a", Referrer: "//a.example"}, tracker.Page{}},
		{"fail/without host", wirePage{URL: "https:a.example"}, tracker.Page{}},
		{"fail/page is an app", wirePage{URL: "android-app://com.example.app/"}, tracker.Page{}},
		{"fail/control characters", wirePage{URL: "https://a.example/\n", Referrer: "https://a.example/\x7f"}, tracker.Page{}},
		{"fail/languages", wirePage{Language: "<b>", WebsiteLanguage: strings.Repeat("a", 36)}, tracker.Page{}},
	}
	r, err := newRedactor(nil)
	require.NoError(t, err)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.page(tt.in)
			assert.Equal(t, tt.want, got)
			assert.True(t, utf8.ValidString(got.URL+got.Title))
		})
	}
}

// A token planted in any honest place of any address is gone, and what was
// redacted once does not change again.
func FuzzB32Redact(f *testing.F) {
	f.Add("https://a.example/p", "x=1", "frag")
	f.Add("https://u:p@a.example/;a=b/%2F", "next=%252Fa&&;=", "/r?x=1&y#")
	f.Add("https://a.example/%", "%=%&a=%zz;", "!%25")
	r, err := newRedactor([]string{"customer"})
	require.NoError(f, err)
	const secret = "S3CR3T"
	f.Fuzz(func(t *testing.T, base, query, fragment string) {
		once := r.url(base + "?" + query + "#" + fragment)
		assert.Equal(t, once, r.url(once), "redacting again changes nothing")
		if strings.Contains(base+query+fragment, secret) {
			t.Skip()
		}
		base = strings.NewReplacer("?", "", "#", "").Replace(base)
		query = strings.ReplaceAll(query, "#", "")
		for _, address := range []string{
			base + "?token=" + secret + "&" + query + "#" + fragment,
			base + "?" + query + "&access_token=" + secret + "#" + fragment,
			base + "?" + query + "#" + fragment + "&code=" + secret,
			base + "?" + query + "&next=" + url.QueryEscape("/r?email="+secret) + "#" + fragment,
			base + "?" + query + "&customer=" + secret,
			"https://u:" + secret + "@" + strings.TrimPrefix(base, "https://") + "?" + query,
		} {
			assert.NotContains(t, r.url(address), secret, address)
		}
	})
}
