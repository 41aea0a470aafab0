package tracker

import (
	"slices"
	"time"
)

// bootLife is how long a boot leads to its device (B2).
const bootLife = 24 * time.Hour

// boot says under which value a browser without a valid cookie starts. Beside a
// call that already has an epoch it means that our cookie did not come back.
func (w *work) boot(tokens []string) (digest, bool) {
	for _, call := range w.req.Calls {
		if call.Epoch != "" && len(tokens) == 0 {
			return digest{}, false
		}
	}
	return w.bootOf(tokens)
}

// bootOf is that value. The SDK sends one with its first calls. A single cookie
// that this server does not know, left from a deleted device or another
// database, shows that the browser keeps cookies and serves as well, so that its
// tabs meet again.
func (w *work) bootOf(tokens []string) (digest, bool) {
	switch {
	case w.req.Boot != "":
		return digestOf("boot " + w.req.Boot), true
	case len(tokens) == 1:
		return digestOf("token " + tokens[0]), true
	}
	return digest{}, false
}

// noteBoot lets a boot lead to the device of the cookie it came with: its
// answer may be lost and the cookie be over by the time the same calls come
// again (B2, B26). The SDK sends a boot once an hour, until it is answered, so
// that hardly a request writes this. To a session, and whoever is in it, a boot
// leads no more than before: it lies where the scripts of a page can read it.
func (w *work) noteBoot() error {
	if w.req.Boot == "" || w.retired {
		return nil
	}
	d, boot := w.device, digestOf("boot "+w.req.Boot)
	key := hashKey(tableBoot, d.account, boot)
	value, err := w.tx.Get(key)
	if err != nil {
		return err
	}
	if len(value) != 0 {
		i, since, err := decodeDeviceReference(value)
		noted := i == d.id && since >= d.rotated && w.now.Sub(fromMillis(since)) < bootLife
		if err != nil || noted || i.zero() { // what was erased stays so
			return err
		}
	}
	if !slices.Contains(d.boots, boot) {
		d.boots, d.dirty = append(d.boots, boot), true
	}
	if len(d.boots) > maxBoots {
		if err := w.forgetKey(hashKey(tableBoot, d.account, d.boots[0]), d.id); err != nil {
			return err
		}
		d.boots = slices.Delete(d.boots, 0, 1)
	}
	return w.tx.Put(key, w.reference(d))
}
