package schema

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// Limits of person properties in characters.
const (
	maxNameChars       = 255
	maxMiddleNameChars = 50
	maxAddressChars    = 256
	maxPlaceChars      = 50
	maxPictureChars    = 2083
)

// scalars are the properties of a person that hold one string. Each function
// returns the form to store.
var scalars = map[string]func(string) (string, error){
	"firstName":         personName(maxNameChars),
	"lastName":          personName(maxNameChars),
	"middleName":        personName(maxMiddleNameChars),
	"address":           atMost(maxAddressChars),
	"city":              atMost(maxPlaceChars),
	"country":           atMost(maxPlaceChars),
	"birthDate":         canonicalDate,
	"gender":            canonicalGender,
	"preferredLanguage": checkLanguage,
	"profilePicture":    checkPicture,
}

func atMost(limit int) func(string) (string, error) {
	return func(s string) (string, error) {
		if len(s) > limit && utf8.RuneCountInString(s) > limit {
			return "", faultf("is longer than %d characters", limit)
		}
		return s, nil
	}
}

// personName also refuses what the platform forbids in names.
func personName(limit int) func(string) (string, error) {
	short := atMost(limit)
	return func(s string) (string, error) {
		if strings.ContainsAny(s, "&<>\"/\\\n\r:(){}=;#") {
			return "", faultf(`must have no line break and none of & < > " / \ : ( ) { } = ; #`)
		}
		return short(s)
	}
}

func canonicalGender(s string) (string, error) {
	for _, gender := range []string{"MALE", "FEMALE"} {
		if strings.EqualFold(s, gender) {
			return gender, nil
		}
	}
	return "", faultf("must be MALE or FEMALE")
}

// checkLanguage takes the two forms the platform documents, in any case: an
// ISO 639-1 code, and one followed by an ISO 3166-1 country. The tag is kept as
// given.
func checkLanguage(s string) (string, error) {
	base, region, hasRegion := strings.Cut(s, "-")
	if len(base) == 2 && (!hasRegion || len(region) == 2) {
		_, err := language.ParseBase(base)
		if err == nil && hasRegion {
			_, err = language.ParseRegion(region)
		}
		if err == nil {
			return s, nil
		}
	}
	return "", faultf("must be a language like en or a language and country like en-GB")
}

// checkPicture takes an address a console can show as an image without
// surprise: http or https, nothing invisible, no credentials.
func checkPicture(s string) (string, error) {
	if _, err := atMost(maxPictureChars)(s); err != nil {
		return "", err
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil ||
		strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || r == '\\' || !unicode.IsPrint(r) }) {
		return "", faultf("must be an http or https URL without user name")
	}
	return s, nil
}
