package instrument

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/tracker/schema"
)

func definitions(t testing.TB) *schema.Schema {
	t.Helper()
	s, err := schema.New([]schema.Definition{{ID: "buy", Title: "Buy", Fields: []schema.Field{
		{Name: "name", Type: schema.TypeString},
		{Name: "price", Type: schema.TypeDecimal},
		{Name: "count", Type: schema.TypeNumeric},
		{Name: "gift", Type: schema.TypeBoolean},
		{Name: "at", Type: schema.TypeDateTime},
		{Name: "items", Type: schema.TypeList, Fields: []schema.Field{{Name: "sku", Type: schema.TypeString}}},
	}}}, []schema.Attribute{
		{Name: "Car", Type: schema.TypeString},
		{Name: "shoe size", Type: schema.TypeInteger},
		{Name: "category", Type: schema.TypeList, Fields: []schema.Field{{Name: "name", Type: schema.TypeString}}},
	}, schema.Options{Strict: true})
	require.NoError(t, err)
	return s
}

func track(properties ...string) Rule {
	return with(Rule{On: OnClick, Selector: ".buy", Call: CallTrack, Name: "buy"}, properties...)
}

func update(properties ...string) Rule {
	return with(Rule{On: OnSubmit, Selector: "form", Call: CallUpdatePerson}, properties...)
}

func appended(properties ...string) Rule {
	return with(Rule{On: OnVisible, Selector: "p", Call: CallAppendToList, Name: "category"}, properties...)
}

func with(r Rule, properties ...string) Rule {
	for i := 0; i < len(properties); i += 2 {
		r.Properties = append(r.Properties, Property{Name: properties[i], Value: properties[i+1]})
	}
	return r
}

func TestCompile(t *testing.T) {
	for name, c := range map[string]struct {
		rule Rule
		want string
	}{
		"an event alone": {track(), `["click",".buy","track",{"eventId":"buy"}]`},
		"literals": {
			track("name", "5", "price", "5", "count", "3", "gift", "true", "at", "2026-11-22"),
			`["click",".buy","track",{"properties":{"name":"5","price":5,"count":3,"gift":true,"at":"2026-11-22"},"eventId":"buy"}]`,
		},
		"types": {
			track("name", "{id}", "price", "{id}", "count", "{id}", "gift", "{id}", "at", "{id}"),
			`["click",".buy","track",{"properties":{"name":[0,"","","id"],"price":[2,"","","id"],"count":[3,"","","id"],"gift":[1,"","","id"],"at":[5,"","","id"]},"eventId":"buy"}]`,
		},
		"visible": {appended("name", "{text}"), `["visible","p","appendToList",{"attributeName":"category","value":{"name":[0,"","",null]}},0]`},
		"scroll": {
			Rule{On: OnScroll, Depth: 75, Call: CallTrack, Name: "buy"}, `["scroll","html","track",{"eventId":"buy"},0.75]`,
		},
		"scroll to the end": {Rule{On: OnScroll, Depth: 100, Call: CallTrack, Name: "buy"}, `["scroll","html","track",{"eventId":"buy"},0.99]`},
		"a person, groups first": {
			update("firstName", "{[name=f]}", "birthDate", "{[name=b]}", "contactInformation.email", "{[name=e]}", "tags", "{data-tag}",
				"customAttributes.car", "Estate", "contactInformation.phone", "421905123450", "customAttributes.shoe size", "{[name=s]}"),
			`["submit","form","updatePerson",{"customAttributes":{"Car":"Estate","shoe size":[3,"","[name=s]",""]},` +
				`"contactInformation":{"email":[6,"","[name=e]",""],"phone":[{"number":"421905123450"}]},` +
				`"firstName":[0,"","[name=f]",""],"birthDate":[4,"","[name=b]",""],"tags":[8,"","","data-tag"]}]`,
		},
		"several tags":     {update("tags", "a", "tags", "b"), `["submit","form","updatePerson",{"tags":["a","b"]}]`},
		"beyond ASCII":     {track("name", "é😀"), `["click",".buy","track",{"properties":{"name":"\u00e9\ud83d\ude00"},"eventId":"buy"}]`},
		"end of a script":  {track("name", "</script>"), `["click",".buy","track",{"properties":{"name":"\u003c/script\u003e"},"eventId":"buy"}]`},
		"address":          {track("name", "{url.path}"), `["click",".buy","track",{"properties":{"name":[0,"",0,"pathname"]},"eventId":"buy"}]`},
		"query":            {track("name", "{url.query.utm_source}"), `["click",".buy","track",{"properties":{"name":[0,"",1,"utm_source"]},"eventId":"buy"}]`},
		"data of a type":   {track("name", "{jsonld.Product.brand.name}"), `["click",".buy","track",{"properties":{"name":[0,"",2,"Product","brand","name"]},"eventId":"buy"}]`},
		"data of any type": {track("name", "{jsonld.brand.name}"), `["click",".buy","track",{"properties":{"name":[0,"",2,"","brand","name"]},"eventId":"buy"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compile([]Rule{c.rule}, definitions(t), Options{})
			require.NoError(t, err)
			assert.Equal(t, "["+c.want+"]", string(got))
		})
	}
}

func TestPlaceholders(t *testing.T) {
	for text, want := range map[string]source{
		"{data-label}":                {"", []any{"data-label"}},
		"{ data-label }":              {"", []any{"data-label"}},
		"{@xlink:href}":               {"", []any{"xlink:href"}},
		"{text}":                      {"", []any{nil}},
		"{value}":                     {"", []any{"value"}},
		"{input[name=email]}":         {"input[name=email]", []any{""}},
		`{input[name="a}b"]}`:         {`input[name="a}b"]`, []any{""}},
		`{meta[property="og:title"]}`: {`meta[property="og:title"]`, []any{""}},
		`{a[href="x@y"]}`:             {`a[href="x@y"]`, []any{""}},
		`{a[href="x@y"]@href}`:        {`a[href="x@y"]`, []any{"href"}},
		"{.card > h2@text}":           {".card > h2", []any{nil}},
		"{input:checked}":             {"input:checked", []any{""}},
		"{#price@data-v}":             {"#price", []any{"data-v"}},
		"{h1@text}":                   {"h1", []any{nil}},
		"{.a:not(.b, :has(> i)) ~ p:nth-child(2n + 1)}": {".a:not(.b, :has(> i)) ~ p:nth-child(2n + 1)", []any{""}},
	} {
		_, got, err := parseValue(text)
		require.NoError(t, err, text)
		require.NotNil(t, got, text)
		assert.Equal(t, want, *got, text)
	}
	for text, want := range map[string]string{"": "", "abc": "abc", `\{x\}`: "{x}", `a\{b`: "a{b", `a\b`: `a\b`} {
		literal, from, err := parseValue(text)
		require.NoError(t, err, text)
		assert.Nil(t, from, text)
		assert.Equal(t, want, literal)
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		rule     Rule
		property int
		err      string
	}{
		"event":            {Rule{On: OnClick, Selector: "a", Call: CallTrack, Name: "sell"}, -1, `event "sell" is not defined`},
		"standard event":   {Rule{On: OnClick, Selector: "a", Call: CallTrack, Name: "pageView"}, -1, "only the server records"},
		"no event":         {Rule{On: OnClick, Selector: "a", Call: CallTrack}, -1, "track wants the id of an event"},
		"trigger":          {Rule{On: "hover", Selector: "a", Call: CallTrack, Name: "buy"}, -1, "use click, submit, visible, scroll"},
		"call":             {Rule{On: OnClick, Selector: "a", Call: "send", Name: "buy"}, -1, "use track, update_person, append_to_list"},
		"name of a person": {Rule{On: OnClick, Selector: "a", Call: CallUpdatePerson, Name: "buy"}, -1, "update_person wants no name"},
		"no properties":    {update(), -1, "update_person wants at least one property"},
		"no list":          {Rule{On: OnClick, Selector: "a", Call: CallAppendToList, Name: "car"}, -1, "is of type string, not list"},
		"attribute":        {Rule{On: OnClick, Selector: "a", Call: CallAppendToList, Name: "boat"}, -1, "is not defined"},
		"depth":            {Rule{On: OnScroll, Depth: 101, Call: CallTrack, Name: "buy"}, -1, "from 1 to 100"},
		"depth of a click": {Rule{On: OnClick, Selector: "a", Depth: 5, Call: CallTrack, Name: "buy"}, -1, "has no depth"},
		"selector":         {Rule{On: OnClick, Selector: "a[", Call: CallTrack, Name: "buy"}, -1, `selector "a[": it ends too early`},

		"property":             {track("name", "x", "colour", "red"), 1, `colour: property "colour" is not defined`},
		"property twice":       {track("name", "x", "name", "y"), 1, "given twice"},
		"number":               {track("price", "five"), 0, `property "price" must be a number, not a string`},
		"whole number":         {track("count", "1.5"), 0, "must be a whole number"},
		"boolean":              {track("gift", "yes"), 0, "must be true or false"},
		"date":                 {track("at", "tomorrow"), 0, "must be a date and time"},
		"list":                 {track("items", "{id}"), 0, "a rule cannot fill a list"},
		"empty":                {track("name", ""), 0, "the value is empty"},
		"half a placeholder":   {track("name", "a {id}"), 0, "a placeholder stands alone"},
		"open placeholder":     {track("name", "{id"), 0, "a placeholder stands alone"},
		"empty placeholder":    {track("name", "{ }"), 0, "the placeholder is empty"},
		"Caddy's placeholder":  {track("name", "{http.request.uri.path.dir}"), 0, "a placeholder of Caddy"},
		"element or attribute": {track("name", "{h1}"), 0, "write {h1@text}"},
		"selector of a value":  {track("name", "{.a[b}"), 0, "it ends too early"},
		"part of the address":  {track("name", "{url.href}"), 0, "use {url.host}"},
		"secret in the query":  {track("name", "{url.query.token}"), 0, "never stored"},
		"path of data":         {track("name", "{jsonld.Product}"), 0, "a property has to follow"},
		"path with a hole":     {track("name", "{jsonld.a..b}"), 0, "use {jsonld."},
		"name behind @":        {track("name", "{h1@a b}"), 0, "behind @"},
		"long literal":         {track("name", strings.Repeat("a", 2049)), 0, "longer than 2048"},

		"person":              {update("externalId", "{id}"), 0, "no property of a person"},
		"custom attribute":    {update("customAttributes.boat", "x"), 0, `custom attribute "boat" is not defined`},
		"list of a person":    {update("customAttributes.category", "x"), 0, "use append_to_list"},
		"attribute twice":     {update("customAttributes.Car", "x", "customAttributes.car", "y"), 1, "given twice"},
		"e-mail":              {update("contactInformation.email", "none"), 0, "must be an e-mail address"},
		"gender":              {update("gender", "x"), 0, "MALE or FEMALE"},
		"tags and a source":   {update("tags", "a", "tags", "{id}"), 1, "given twice"},
		"property of an item": {appended("colour", "red"), 0, "is not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(c.rule, definitions(t), Options{Secret: func(name string) bool { return name == "token" }})
			require.ErrorContains(t, err, c.err)
			var fault *Fault
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, c.property, fault.Property)
			_, err = Compile([]Rule{track(), c.rule}, definitions(t), Options{Secret: func(string) bool { return true }})
			assert.ErrorContains(t, err, "rule 2: ")
		})
	}
	_, err := Compile(make([]Rule, 101), definitions(t), Options{})
	require.ErrorContains(t, err, "at most 100")
}

func TestWithoutDefinitions(t *testing.T) {
	open, err := schema.New(nil, nil, schema.Options{})
	require.NoError(t, err)
	_, err = Compile([]Rule{track("anything", "{id}")}, open, Options{})
	require.NoError(t, err)
	_, err = Compile([]Rule{track("Any-thing", "{id}")}, open, Options{})
	require.Error(t, err)
}

func TestSelectors(t *testing.T) {
	for _, good := range []string{
		"a", "*", "#id", ".class", "a.b#c[d]:e", "a > b + c ~ d e", "a,b , c", "[a=b]", `[a="b c" i]`, "[a|='x']", "[data-x^=y]", ":root", "a:not([b]):hover",
		":has(> img, + p)", ":nth-child(2n+1 of .a)", "größe", `.\31 0`, "svg|a"[4:], `a[b="]"]`, ":lang(de)", ":is(h1, h2) > a",
	} {
		assert.NoError(t, checkSelector(good), good)
	}
	for _, bad := range []string{
		"", " ", "a,", ",a", "a >", "> a", "a > > b", ".", "#", "a..b", "#1", "[", "[a", "[a=]", "[a=b", `[a="b]`, "[a=b c]", "[=a]", "a)", "a(", ":", "a:", "::before",
		":not()", ":not(a", "a{", "a;b", "1a", "a[b=1]", "\x00", "a\x00b", "a\xff", strings.Repeat(":is(", 20) + "a" + strings.Repeat(")", 20), strings.Repeat("a ", 600),
	} {
		assert.Error(t, checkSelector(bad), bad)
	}
}

func FuzzParseValue(f *testing.F) {
	for _, seed := range []string{
		"abc", "{id}", "{text}", `{input[name="a}b"]@value}`, `{meta[property="og:title"]}`, "{url.query.a}", "{jsonld.Product.a.b}", `\{`, "{.a:not(.b)", "{[a='", "{a@b@c}", `{\}`, "{{}}",
	} {
		f.Add(seed)
	}
	defs := definitions(f)
	f.Fuzz(func(t *testing.T, value string) {
		data, err := Compile([]Rule{track("name", value)}, defs, Options{Debug: true})
		if err != nil {
			return
		}
		for _, b := range data {
			require.True(t, ' ' <= b && b <= '~', "one line of ASCII: %q", data)
		}
		var rules [][]any
		require.NoError(t, json.Unmarshal(data, &rules))
		require.Len(t, rules, 1)
		name := rules[0][3].(map[string]any)["properties"].(map[string]any)["name"]
		if _, placeholder := name.([]any); placeholder {
			require.True(t, strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}"), value)
		} else {
			require.Equal(t, strings.NewReplacer(`\{`, "{", `\}`, "}").Replace(value), name)
		}
	})
}

func FuzzSelector(f *testing.F) {
	for _, seed := range []string{"a > b", "[a='b']", ":has(> a)", ":is(", `\`, "a\\", "::x", "[a=b i]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, selector string) {
		if checkSelector(selector) == nil {
			if longer := "x, " + selector; len(longer) <= maxSelector {
				require.NoError(t, checkSelector(longer))
			}
			require.Error(t, checkSelector(selector+","))
		}
	})
}
