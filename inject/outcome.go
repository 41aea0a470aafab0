package inject

// Outcome is what became of one request: injected, or the one reason why not
// (rule 21). Its labels are stable; they name counters and, with Config.Debug,
// stand in the response header MarkerHeader.
type Outcome uint8

// The outcomes. Those of requests come first: such a request is passed on
// without a wrapper.
const (
	// Injected: the script went into the page, or the headers of a HEAD
	// request were made to match such a page.
	Injected Outcome = iota
	// SkippedMethod: neither GET, HEAD nor POST (rules 1 and 2).
	SkippedMethod
	// SkippedUpgrade: a WebSocket or another protocol upgrade (rule 1).
	SkippedUpgrade
	// SkippedDestination: Sec-Fetch-Dest says that no document is loaded (rule 2).
	SkippedDestination
	// SkippedAccept: no Sec-Fetch-Dest, and Accept does not allow HTML (rule 2).
	SkippedAccept
	// SkippedFragment: a script fetches a piece of a page: htmx, Turbo, PJAX … (rule 2).
	SkippedFragment
	// SkippedNested: another injector stands in front of this one (rule 1).
	SkippedNested
	// SkippedNoTransform: Cache-Control: no-transform in request or response (rule 8).
	SkippedNoTransform
	// SkippedStatus: 101, 204, 205, 206, 304 or another 3xx (rule 5).
	SkippedStatus
	// SkippedMediaType: not text/html (rule 6).
	SkippedMediaType
	// SkippedCharset: an encoding that is unknown or does not contain ASCII (rule 7).
	SkippedCharset
	// SkippedAttachment: Content-Disposition: attachment, a download (rule 8).
	SkippedAttachment
	// SkippedMarked: the response carries our marker already (rule 8).
	SkippedMarked
	// SkippedSandbox: Content-Security-Policy has sandbox without allow-scripts (rule 8).
	SkippedSandbox
	// SkippedSigned: an HTTP message signature covers the content (rule 8).
	SkippedSigned
	// SkippedAMP: AMP pages allow no script of the site (rule 8).
	SkippedAMP
	// SkippedEmpty: no body, or Content-Length: 0 (rules 8 and 10).
	SkippedEmpty
	// SkippedEncoding: a Content-Encoding that is not decoded here, or several (rule 9).
	SkippedEncoding
	// SkippedCorrupt: the body is not what its Content-Encoding says (rule 9).
	SkippedCorrupt
	// SkippedCSP: Content-Security-Policy forbids the script or its calls (rule 17).
	SkippedCSP
	// SkippedIntegrity: Integrity-Policy asks for a hash that is not configured (rule 18).
	SkippedIntegrity
	// SkippedUnfinished: the page ends inside a comment, a declaration or its
	// first tag (rule 10).
	SkippedUnfinished
	// SkippedCharsetPosition: the script would push <meta charset> out of the
	// first 1,024 bytes, and behind it is no place (rule 12).
	SkippedCharsetPosition
	// SkippedXML: an XHTML page without a plain <head> start tag (rule 6).
	SkippedXML
	// SkippedHijacked: the handler took the connection over (rule 19).
	SkippedHijacked
	// SkippedError: the handler failed before the first byte (rule 20).
	SkippedError

	outcomes // how many there are
)

var outcomeLabels = [outcomes]string{
	Injected:               "injected",
	SkippedMethod:          "skipped_method",
	SkippedUpgrade:         "skipped_upgrade",
	SkippedDestination:     "skipped_destination",
	SkippedAccept:          "skipped_accept",
	SkippedFragment:        "skipped_fragment",
	SkippedNested:          "skipped_nested",
	SkippedNoTransform:     "skipped_no_transform",
	SkippedStatus:          "skipped_status",
	SkippedMediaType:       "skipped_media_type",
	SkippedCharset:         "skipped_charset",
	SkippedAttachment:      "skipped_attachment",
	SkippedMarked:          "skipped_marked",
	SkippedSandbox:         "skipped_sandbox",
	SkippedSigned:          "skipped_signed",
	SkippedAMP:             "skipped_amp",
	SkippedEmpty:           "skipped_empty",
	SkippedEncoding:        "skipped_encoding",
	SkippedCorrupt:         "skipped_corrupt",
	SkippedCSP:             "skipped_csp",
	SkippedIntegrity:       "skipped_integrity",
	SkippedUnfinished:      "skipped_unfinished",
	SkippedCharsetPosition: "skipped_charset_position",
	SkippedXML:             "skipped_xml",
	SkippedHijacked:        "skipped_hijacked",
	SkippedError:           "skipped_error",
}

// String returns the stable label, "injected" or "skipped_" and the reason.
func (o Outcome) String() string {
	if o < outcomes {
		return outcomeLabels[o]
	}
	return "unknown"
}

// Outcomes lists every outcome, for whoever registers counters up front.
func Outcomes() []Outcome {
	all := make([]Outcome, outcomes)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}
