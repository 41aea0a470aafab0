// Package specification has the examples of the SDK's specification word for
// word, for tests that carry them out.
package specification

// The calls, by an instance that is called sdk or pe.
const (
	UpdatePerson = `sdk.updatePerson({
  address: 'Kirchmayer street 97',
  birthDate: '1993-01-01',
  city: 'Prague',
  contactInformation: {
    email: [{ address: 'email@infobip.com' }],
    phone: [{ number: '421905123450' }]
  },
  country: 'Czech Republic',
  customAttributes: { car: 'Mercedes' },
  firstName: 'Semi',
  gender: 'male',
  lastName: 'Holsen',
  middleName: 'Gabcik',
  preferredLanguage: 'it-it',
  profilePicture: 'https://profile.com',
  tags: ['reading', 'technology']
})`
	AppendToList = `pe.appendToList('category', { name: 'special' })`
	Track        = `pe.track('action', { name: 'Button clicked', label: 'add-to-favorites' })`
)

// What a call resolves to: when it was carried out, and when it came before
// init.
const (
	Success = `{ "success": true, "data": null }`
	Failure = `{ "success": false, "error": { "code": 2015, "name": "NotInitializedPeopleTrackingError",
		"message": "People tracking SDK is not initialized. Call init() first", "origin": "fe-snippet", "platform": "fe-snippet" } }`
)
