package tracker

// Rules that decide about calls, beside those of the methods.
const (
	ruleTokens    = "B4"
	ruleEpochs    = "B8"
	ruleNoCookies = "B25"
	ruleRepeats   = "B26"
	ruleOptedOut  = "B31"
)

// methods are the methods with the rule that says what each does.
var methods = map[string]struct{ name, rule string }{
	MethodInit:         {MethodInit, "B21"},
	MethodPage:         {MethodPage, "B29"},
	MethodTrack:        {MethodTrack, "B22"},
	MethodChat:         {MethodChat, "B9"},
	MethodUpdatePerson: {MethodUpdatePerson, "B23"},
	MethodAppendToList: {MethodAppendToList, "B24"},
	MethodConsent:      {MethodConsent, "B30"},
}

// Why calls succeed and leave no trace, as their warning says it.
const (
	notConsented      = "the visitor does not consent"
	madeBeforeErasure = "the call was made before what it belongs to was erased"
	ofSpiders         = "spiders are not recorded"
)

// omitted is the reason and the rule behind such a warning.
func omitted(req *Request, warning string) (reason, rule string) {
	switch {
	case warning == ofSpiders:
		return "spider", "B29"
	case warning == madeBeforeErasure:
		return "erased", "B33"
	case req.OptedOut:
		return "opted_out", ruleOptedOut
	}
	return "no_consent", "B30"
}
