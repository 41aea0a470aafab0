package inject

import (
	"hash/maphash"
	"net/http"
	"sync/atomic"
)

// leftAlone remembers responses whose header kept the script out, so that the
// browser's question about its copy of one can go on (rule 4): a site whose
// policy forbids the script would otherwise never answer 304 again. It keeps
// hashes of address and entity tag, each in the one place it may have; what it
// forgets is asked for in full once more.
type leftAlone struct {
	seed  maphash.Seed
	known [1024]atomic.Uint64
}

func newLeftAlone() *leftAlone { return &leftAlone{seed: maphash.MakeSeed()} }

// note remembers a whole response.
func (l *leftAlone) note(r *http.Request, status int, tags []string) {
	if status != http.StatusOK || len(tags) == 0 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return
	}
	hash := l.hash(r, tags[0])
	l.known[hash%uint64(len(l.known))].Store(hash)
}

func (l *leftAlone) has(r *http.Request, tag string) bool {
	hash := l.hash(r, tag)
	return l.known[hash%uint64(len(l.known))].Load() == hash
}

func (l *leftAlone) hash(r *http.Request, tag string) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	for _, part := range [...]string{r.Host, r.URL.Path, r.URL.RawQuery, tag} {
		_, _ = h.WriteString(part)
		_ = h.WriteByte(0) // so that no two requests run together
	}
	return h.Sum64()
}
