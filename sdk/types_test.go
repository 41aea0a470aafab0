package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// compiler finds TypeScript: PEOPLE_TSC names it, or it is in the path. It only
// checks; nothing that is built needs it.
func compiler(t *testing.T) string {
	t.Helper()
	path := os.Getenv("PEOPLE_TSC")
	if path == "" {
		path, _ = exec.LookPath("tsc")
	}
	if path == "" {
		if slices.Contains(strings.Split(os.Getenv("PEOPLE_REQUIRE"), ","), "tsc") {
			t.Fatal("TypeScript is required: set PEOPLE_TSC")
		}
		t.Skip("no TypeScript: set PEOPLE_TSC or put tsc into the path")
	}
	return path
}

// check compiles a project and returns what there is to complain about.
func check(t *testing.T, project string) string {
	t.Helper()
	output, err := exec.Command(compiler(t), "--project", project).CombinedOutput()
	if err != nil && len(output) == 0 {
		t.Fatal(err)
	}
	return string(output)
}

func TestTypesOfTheSources(t *testing.T) {
	assert.Empty(t, check(t, "."))
}

// usage is TypeScript as a site writes it. Each line behind an expectation has
// to be an error: tsc complains where it is none.
const usage = `
const sdk = new PeopleTrackingSDK();
export async function use() {
  const result = await sdk.init('725f7...55b9');
  if (result.success) result.data?.warnings.forEach(({ code, message }) => console.info(code, message));
  else if (result.error.code === 4001) console.info(result.error.name, result.error.message, result.error.origin, result.error.platform);
  await sdk.track('action');
  await sdk.track('action', { name: 'Button clicked', count: 1, list: [{ a: true }] });
  await sdk.updatePerson({ firstName: 'Semi', birthDate: null, tags: ['a'], contactInformation: { email: [{ address: 'a@example.com' }] } });
  await sdk.appendToList('category', { name: 'special' });
  await sdk.page();
  await sdk.chat('started');
  await sdk.chat('authenticated', 'jwt');
  await sdk.consent(true);
  new window.PeopleTrackingSDK();

  // @ts-expect-error a key is needed
  await sdk.init();
  // @ts-expect-error the id is a text
  await sdk.track(1);
  // @ts-expect-error properties are an object
  await sdk.track('action', 'name');
  // @ts-expect-error no such property
  await sdk.updatePerson({ shoeSize: 43 });
  // @ts-expect-error a list of texts
  await sdk.updatePerson({ tags: 'a' });
  // @ts-expect-error the item is missing
  await sdk.appendToList('category');
  // @ts-expect-error no such state
  await sdk.chat('begun');
  // @ts-expect-error the token is missing
  await sdk.chat('authenticated');
  // @ts-expect-error yes or no
  await sdk.consent('yes');
  // @ts-expect-error data comes with success only
  result.data;
}
`

const module = `
import { install } from 'caddy-people-tracking-sdk';
const Sdk = install({ base: '/_people', views: 'navigation', consent: 'required', consentCookie: 'choice=yes' });
export const result: Promise<PeopleTrackingResult> = new Sdk().init('k');
// @ts-expect-error no such option
install({ keys: 'k' });
`

func TestTypesOfThePackage(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(folder+"/"+name), 0o755))
		require.NoError(t, os.WriteFile(folder+"/"+name, []byte(content), 0o644))
	}
	const options = `{"compilerOptions": {"target": "es2021", "module": "esnext", "moduleResolution": "bundler", "lib": ["es2021", "dom"],
		"strict": true, "noEmit": true, "types": []}, "include": ["*.ts"]}`
	write("global/tsconfig.json", options)
	write("global/usage.ts", usage)
	write("global/types.d.ts", file(t, "people-tracking-sdk.d.ts"))
	assert.Empty(t, check(t, folder+"/global"))

	write("module/tsconfig.json", options)
	write("module/usage.ts", module)
	require.NoError(t, os.CopyFS(folder+"/module/node_modules/caddy-people-tracking-sdk", os.DirFS("npm")))
	assert.Empty(t, check(t, folder+"/module"))
}
