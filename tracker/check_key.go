package tracker

import (
	"encoding/binary"
	"encoding/hex"
)

// nameOf is the account of a key and the id it belongs to. Keys may hold names
// and addresses: the index's tokens, hashes of subjects, a site's session ids.
func nameOf(key []byte) (a Account, record string) {
	const account = 1 + 2
	part := func(from, size int) string {
		if len(key) < from+size {
			return ""
		}
		return hex.EncodeToString(key[from : from+size])
	}
	switch key[0] {
	case tableName, tableLayout, tableAlive, tableRetention:
		return 0, ""
	case tableErased:
		return 0, part(1, 8)
	case tableQueue:
		if len(key) >= queueSuffix+2 {
			a = Account(binary.BigEndian.Uint16(key[queueSuffix:]))
			if key[queueSuffix-1] == dueInvalid {
				return a, ""
			}
		}
		return a, part(queueSuffix+2, 16)
	case tableJob:
		if len(key) >= 4 {
			a = Account(binary.BigEndian.Uint16(key[2:]))
		}
		return a, part(4, 16)
	case tableDedupe:
		if len(key) >= 5 {
			a = Account(binary.BigEndian.Uint16(key[3:]))
		}
		return a, part(5, 16)
	}
	if len(key) < account {
		return 0, ""
	}
	a = Account(binary.BigEndian.Uint16(key[1:]))
	switch key[0] {
	case tableSubject, tableInvalid, tableSchema:
		return a, ""
	case tableListing, tableSearch:
		return a, part(max(account, len(key)-16), 16)
	case tableToken, tableBoot, tableCookie:
		return a, part(account, 8) // enough to find it, too little to try guesses
	}
	return a, part(account, 16)
}

// sized says whether a key has the size of its table's, and reports it if not.
func (c *checker) sized(key []byte, size int) bool {
	if len(key) == size {
		return true
	}
	c.wrong("the key has %d bytes instead of %d", len(key), size)
	return false
}

func keyAccount(key []byte) Account { return Account(binary.BigEndian.Uint16(key[1:])) }

// keyID is the id that stands at a place of a key.
func keyID(key []byte, at int) (i id) {
	copy(i[:], key[at:])
	return i
}
