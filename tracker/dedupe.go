package tracker

import (
	"slices"
	"time"
)

// dedupeDays is how long a client id is answered as the first time (B26).
const dedupeDays = 7

func dayOf(t time.Time) uint16 {
	return uint16(t.Unix() / (24 * 60 * 60)) //nolint:gosec // days since 1970 fit until 2149
}

// recorded says whether this call was recorded before (B26). Ids of the SDK's
// own form are found in the device's windows, or in the spilled window of a
// tab that has not been heard of for a while; any other id has a key of its own.
func (w *work) recorded(call *Call) (bool, error) {
	tab, n, ok := splitClientID(call.ID)
	if !ok {
		value, err := w.tx.Get(ownIDKey(w.device, call.ID))
		return len(value) != 0, err
	}
	i := w.window(tab)
	if i < 0 {
		var err error
		if i, err = w.recallWindow(tab); err != nil {
			return false, err
		}
	}
	if window := w.device.windows[i]; !window.behind(n) {
		return window.seen(n), nil
	}
	open, err := w.open(tab, n)
	return open&holeBit(n) == 0, err
}

func (w *work) window(tab string) int {
	return slices.IndexFunc(w.device.windows, func(t tabWindow) bool { return t.tab == tab })
}

// recallWindow brings a tab's window into the device record, from the key it
// was spilled to or empty, and spills the one that was used longest ago.
func (w *work) recallWindow(tab string) (int, error) {
	d := w.device
	fresh := tabWindow{tab: tab}
	value, err := w.tx.Get(spillKey(d, tab))
	if err != nil {
		return 0, err
	}
	if len(value) != 0 {
		if fresh, err = decodeSpill(value); err != nil {
			return 0, err
		}
	}
	if len(d.windows) >= maxWindows {
		oldest := d.windows[0]
		e := newEncoder(48)
		oldest.encode(e)
		e.int(4, millis(w.now))
		if err := w.tx.Put(spillKey(d, oldest.tab), e.b); err != nil {
			return 0, err
		}
		day := dedupeKey(dayOf(w.now), d.account, d.id, spillMark+oldest.tab)
		if err := w.tx.Put(day, present); err != nil {
			return 0, err
		}
		d.windows = slices.Delete(d.windows, 0, 1)
	}
	d.windows, d.dirty = append(d.windows, fresh), true
	return len(d.windows) - 1, nil
}

// ownIDKey is where an id is found that has not the SDK's form, whenever its
// call was made and whatever the browser's clock says.
func ownIDKey(d *device, client string) []byte { return dedupeKey(0, d.account, d.id, client) }

// keepOwnID keeps such an id, to be forgotten with the day it came on.
func (w *work) keepOwnID(client string) error {
	d := w.device
	if err := w.tx.Put(ownIDKey(d, client), present); err != nil {
		return err
	}
	return w.tx.Put(dedupeKey(dayOf(w.now), d.account, d.id, client), present)
}

// spillMark begins the client part of keys that belong to spilled windows; no
// client id holds this character.
const spillMark = "~"

// spillKey is where the window of a tab waits that was pushed out of its
// device's record. It stands outside the days, which are dropped as ranges.
func spillKey(d *device, tab string) []byte {
	return dedupeKey(0, d.account, d.id, spillMark+tab)
}

func decodeSpill(value []byte) (w tabWindow, err error) {
	err = decodeValue(value, func(f field) { w.take(f) })
	return w, err
}

// markRecorded keeps the id of a call that was carried out.
func (w *work) markRecorded(call *Call) error {
	tab, n, ok := splitClientID(call.ID)
	if !ok {
		if call.Method == MethodInit { // it may be carried out again
			return nil
		}
		return w.keepOwnID(call.ID)
	}
	window, err := w.reach(tab, n)
	if err != nil {
		return err
	}
	if window.behind(n) {
		return w.close(tab, n)
	}
	window.mark(n)
	return nil
}

// markRefused moves the window on, so that a refused call which is pushed out
// of it is known for one.
func (w *work) markRefused(call *Call) error {
	tab, n, ok := splitClientID(call.ID)
	if !ok {
		return nil
	}
	_, err := w.reach(tab, n)
	return err
}

// reach brings n into a tab's window, unless it is behind it, and makes the
// window the one that was used last.
func (w *work) reach(tab string, n uint64) (*tabWindow, error) {
	i := w.window(tab)
	if i < 0 {
		return nil, errGone // recorded brings every window in before
	}
	d := w.device
	for _, left := range d.windows[i].advance(n) {
		if err := w.leaveOpen(tab, left); err != nil {
			return nil, err
		}
	}
	if last := len(d.windows) - 1; i != last {
		used := d.windows[i]
		d.windows = append(slices.Delete(d.windows, i, i+1), used)
	}
	d.dirty = true
	return &d.windows[len(d.windows)-1], nil
}
