package tracker

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// go test ./tracker -run TestMutations -mutations -timeout 20m
var mutations = flag.Bool("mutations", false, "plant faults into the package, and expect each to be found")

type fault struct{ file, right, wrong string }

// planted are faults in a few words each: what a line says, and what it would
// say if somebody got it wrong.
var planted = map[string]fault{
	"a session is ended twice":                  {"activity.go", "p.open, p.dirty = openSession{}, true\n\tw.fresh", "p.dirty = true\n\tw.fresh"},
	"a late event is lost":                      {"activity.go", "return w.startLate(p, t, ev)", "_, err = w.startLate(p, t, ev); return id{}, err"},
	"an overdue session goes on":                {"activity.go", "if p.open.id.zero() || w.fresh[p.id]", "if true || p.open.id.zero() || w.fresh[p.id]"},
	"a merged session stays with the visitor":   {"merge.go", "person.open = open", "_ = open"},
	"a repeated call is carried out again":      {"calls.go", "if seen && call.Method != MethodInit", "if false && seen"},
	"an event goes to the later identity":       {"calls.go", "p, err := w.load(ep.profile)", "p, err := w.load(w.device.current().profile)"},
	"an older epoch has no end":                 {"epoch.go", "case w.earliest(call, made) < ep.to && ", "case "},
	"an event on its way is lost":               {"epoch.go", "case w.earliest(call, made) < ep.to && ", "case made < ep.to && "},
	"undoing forgets the shared sessions":       {"undo.go", "if err := w.divide(m, s); err != nil", "if err := error(nil); err != nil"},
	"redoing leaves sessions in parts":          {"undo.go", "if err := w.unite(m, s); err != nil", "if err := error(nil); err != nil"},
	"undoing leaves the activity":               {"undo.go", "\tp.activity = last\n", "\t_ = last\n"},
	"an absorbed lead stays listed":             {"merge.go", "if visitor.kind != kindVisitor {", "if false {"},
	"the window forgets refused calls":          {"dedupe.go", "for _, left := range d.windows[i].advance(n) {", "d.windows[i].advance(n)\n\tfor _, left := range []uint64(nil) {"},
	"a boot beside a cookie leads nowhere":      {"boot.go", "if w.req.Boot == \"\" || w.retired {", "if true {"},
	"an overdue device's cookie ends with it":   {"expire.go", "if heir.zero() || len(hashes)-i > most {", "if i >= 0 {"},
	"a call of before an erasure is recorded":   {"tombstone.go", "return w.notBefore != 0 && w.madeBy(", "return false && w.madeBy("},
	"an erased device leaves no tombstone":      {"tombstone.go", "w.entomb(tableToken, token, d, at)", "w.tx.Delete(hashKey(tableToken, d.account, token))"},
	"an erased person's session goes on":        {"livechatsession.go", "if at, err := w.erasedAt(c.profile); at != 0 || err != nil {", "if at, err := w.erasedAt(c.profile); err != nil {"},
	"withdrawn consent leaves the device":       {"consent.go", "d.gone, d.dirty = at, true", "d.dirty = true"},
	"what is over expires in spite of a doubt":  {"sweep.go", "return s.clock.Caution() != nil", "return false"},
	"a clock is believed that was set forward":  {"clock.go", "return l.wall.Add(-l.ahead)", "return l.wall"},
	"the site's cookie leads a newcomer back":   {"identity.go", "return k.hash == d.chatHash || slices", "return k.hash == d.chatHash || false && slices"},
	"a cookie that was replaced has not ended":  {"sitecookie.go", "before != hash && c.knows(before)", "before != hash"},
	"a visitor is lost between two sessions":    {"livechatsession.go", "p != nil && p.kind == kindVisitor && p.mergedInto.zero() {\n\t\treturn err", "p != nil && false && p.mergedInto.zero() {\n\t\treturn err"},
	"one device's consent is everybody's":       {"consent.go", "return d != nil && d.consent != 0, err", "return d != nil, err"},
	"a clock set back goes back to whom it was": {"epoch.go", "return noted - max(0, age-underWay.Milliseconds())", "return now - age"},
	"two persons of one subject":                {"identity.go", "if len(value) != 0 {\n\t\tat, err := decodeSubject", "if false {\n\t\tat, err := decodeSubject"},
}

// plant returns the file with the fault in it.
func (f fault) plant(t *testing.T) string {
	source, err := os.ReadFile(f.file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), f.right), "%s says %q once", f.file, f.right)
	return strings.Replace(string(source), f.right, f.wrong, 1)
}

func TestFaultsCanBePlanted(t *testing.T) {
	for name, f := range planted {
		t.Run(name, func(t *testing.T) { assert.Contains(t, f.plant(t), f.wrong) })
	}
}

// TestMutations proves the model, the worlds it had found something in, and the
// tests of repeated calls: whatever is planted into the package, they notice.
// Nothing is written but to a temporary folder: the compiler reads the changed
// file in place of the right one.
func TestMutations(t *testing.T) {
	if !*mutations {
		t.Skip("asked for with -mutations")
	}
	here, err := os.Getwd()
	require.NoError(t, err)
	for name, m := range planted {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			changed, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
			require.NoError(t, os.WriteFile(changed, []byte(m.plant(t)), 0o600))
			list, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, m.file): changed}})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(overlay, list, 0o600))
			out, err := exec.Command("go", "test", "-overlay", overlay, "-run", "TestModel$|TestModelOfBefore|TestB26", "-model.seed", "1", "-model.ops", "10000", ".").CombinedOutput()
			require.NotContains(t, string(out), "[build failed]", string(out))
			assert.Error(t, err, "nobody noticed")
		})
	}
}
