package schema

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxEmailBytes  = 255 // octets, as mail counts them
	maxPhoneChars  = 50  // as written, separators included
	minPhoneDigits = 5
	maxPhoneDigits = 15 // E.164
)

// EmailKey is the form in which e-mail addresses are compared and indexed:
// trimmed and case-folded. No letter outside ASCII folds into ASCII: the
// Kelvin sign is no k, or somebody could pass for the owner of another address.
func EmailKey(address string) string {
	return strings.Map(func(r rune) rune {
		lower := unicode.ToLower(r)
		if r >= utf8.RuneSelf && lower < utf8.RuneSelf {
			return r
		}
		return lower
	}, strings.TrimSpace(address))
}

// PhoneKey is the form in which phone numbers are compared and indexed: their
// ASCII digits.
func PhoneKey(number string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, number)
}

// canonicalEmail takes a bare RFC 2822 address: no display name, no comment,
// nothing invisible.
func canonicalEmail(address string) (string, error) {
	address = strings.TrimSpace(address)
	if len(address) > maxEmailBytes {
		return "", faultf("is longer than %d bytes", maxEmailBytes)
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Name != "" || parsed.String() != "<"+address+">" ||
		strings.ContainsFunc(address, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", faultf("must be an e-mail address")
	}
	return address, nil
}

// canonicalPhone takes an E.164 number, with or without the plus sign and with
// the usual separators, and returns its digits.
func canonicalPhone(number string) (string, error) {
	number = strings.TrimSpace(number)
	if longerThan([]byte(number), maxPhoneChars) {
		return "", faultf("is longer than %d characters", maxPhoneChars)
	}
	digits := PhoneKey(number)
	if rest := strings.Trim(strings.TrimPrefix(number, "+"), "0123456789 -./()"); rest != "" ||
		len(digits) < minPhoneDigits || len(digits) > maxPhoneDigits || digits[0] == '0' {
		return "", faultf("must be a phone number in international form, %d to %d digits with the country code first", minPhoneDigits, maxPhoneDigits)
	}
	return digits, nil
}
