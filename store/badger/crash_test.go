package badger

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/livechat-people/caddy-people-tracking/store"
)

// childDir tells the test binary to be the child that is killed.
const childDir = "PEOPLE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		crashChild(dir, os.Getenv(childDir+"_ROUND"))
		return
	}
	os.Exit(m.Run())
}

// crashChild writes until it is killed and prints each key once its update was
// acknowledged.
func crashChild(dir, round string) {
	// The disks of these tests are small; one test shows what syncing is for.
	s, err := Open(dir, Options{BallastBytes: -1, DiskFree: plenty, unsynced: os.Getenv(childDir+"_UNSYNCED") != ""})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	if n, err := strconv.Atoi(round); err == nil && n%2 == 1 { // every other round the files are rewritten all the time
		wg.Go(func() {
			for {
				if err := s.Purge(); err != nil {
					out.Lock()
					fmt.Println("error", err)
					out.Unlock()
				}
			}
		})
	}
	for writer := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%s-%d-%d", round, writer, n)
				err := s.Update(context.Background(), func(tx store.Tx) error {
					// Two keys, of which both or none may be found.
					if err := tx.Put([]byte("b"+key), []byte(key)); err != nil {
						return err
					}
					return tx.Put([]byte("a"+key), []byte(key))
				})
				out.Lock()
				if err != nil {
					fmt.Println("error", err)
				} else {
					fmt.Println(key)
				}
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// plenty stands for the free space of disks smaller than the store asks for.
func plenty(string) (uint64, error) { return 1 << 40, nil }

// A process may be killed while it begins a log.
func TestALogThatWasOnlyBegun(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "without a header": 2 * minMemTable} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, 20)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "00007"+commitLogSuffix), make([]byte, size), 0o600))
			s := openStore(t, dir, Options{})
			assert.Equal(t, []byte("value 19"), get(t, s, "k0019"))
			put(t, s, "after", []byte("that"))
		})
	}
}

// TestKillLosesNothingAcknowledged kills a writing process at random moments,
// again and again on the same directory, and looks for everything it had said
// was stored.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	dir, rounds := t.TempDir(), 8
	if more, err := strconv.Atoi(os.Getenv("PEOPLE_TEST_KILLS")); err == nil {
		rounds = more
	} else if testing.Short() {
		rounds = 2
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var ledger []string
	for round := range rounds {
		acknowledged := killedRound(t, dir, round, 1+random.IntN(2000))
		require.NotEmpty(t, acknowledged)
		ledger = append(ledger, acknowledged...)

		s := openStore(t, dir, Options{})
		lost := 0
		require.NoError(t, s.View(context.Background(), func(r store.Reader) error {
			for _, key := range ledger {
				for _, kind := range []string{"a", "b"} {
					value, err := r.Get([]byte(kind + key))
					if err != nil {
						return err
					}
					if string(value) != key {
						lost++
					}
				}
			}
			a, err := r.Scan(store.Range{From: []byte("a"), To: []byte("b"), Limit: store.MaxScan, Reverse: true})
			if err != nil {
				return err
			}
			for _, e := range a {
				b, err := r.Get(append([]byte("b"), e.Key[1:]...))
				if err != nil {
					return err
				}
				assert.Equal(t, e.Value, b, "half of an update")
			}
			return nil
		}))
		assert.Zero(t, lost, "of %d", len(ledger))
		require.NoError(t, s.Close())
	}
	t.Logf("%d acknowledged updates over %d kills", len(ledger), rounds)
}

// killedRound runs the child until it acknowledged n updates and kills it.
func killedRound(t *testing.T, dir string, round, n int) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s_ROUND=%d", childDir, round))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	var keys []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		require.NotContains(t, lines.Text(), "error")
		keys = append(keys, lines.Text())
		if len(keys) == n {
			require.NoError(t, child.Process.Kill())
		}
	}
	require.Error(t, child.Wait(), "the child ended by itself")
	// The last line may be cut by the kill.
	return keys[:len(keys)-1]
}
