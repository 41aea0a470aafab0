// Runs the suite of cache-tests.fyi against a base address and prints which of
// its tests passed, as JSON.
//
//   node cachesuite.mjs <folder of the suite> <base address> text|page [test id…]
//
// With "page" the client asks as browsers ask for pages, and undoes what an
// injecting proxy owes a page: the script, its suffix of entity tags, and what
// it adds to Vary and Content-Length. What the suite then finds out is what the
// site's own response would have given, unless the proxy harmed it.
import { pathToFileURL } from 'node:url'

const [folder, base, kind, ...only] = process.argv.slice(2)
const load = path => import(pathToFileURL(folder + '/' + path))
const { runTests, getResults } = await load('client/runner.mjs')
const suites = [...(await load('tests/index.mjs')).default, (await load('tests/surrogate-control.mjs')).default]

const script = /<script src="\/_people[^>]*><\/script>/
let suffix = ''

async function asBrowser (url, init = {}) {
  let request = [...(init.headers || [])]
  if (url.includes('/test/')) request.push(['Accept', 'text/html,*/*;q=0.8'])
  if (suffix) request = request.map(([name, value]) => [name, name.toLowerCase() === 'if-none-match' ? value.replace(/"(?=,|$)/g, suffix + '"') : value])
  const response = await fetch(url, { ...init, headers: request })
  const headers = new Headers(response.headers)
  const tag = headers.get('etag') || ''
  const own = tag.match(/-i[0-9a-f]{8}(?=")/)
  if (own) {
    suffix = own[0]
    headers.set('etag', tag.replace(suffix, ''))
  } else if (/^W\/"i[0-9a-f]{8}-/.test(tag)) {
    headers.delete('etag') // made from Last-Modified
  }
  const vary = (headers.get('vary') || '').replace(/(^|, )Sec-Fetch-Dest$/, '')
  vary ? headers.set('vary', vary) : headers.delete('vary')
  const body = await response.text()
  const found = body.match(script)
  if (found && headers.has('content-length')) headers.set('content-length', headers.get('content-length') - found[0].length)
  return { status: response.status, statusText: response.statusText, headers, text: async () => body.replace(script, '') }
}

for (const suite of suites) suite.tests = suite.tests.filter(test => only.length === 0 || only.includes(test.id))
await runTests(suites, kind === 'page' ? asBrowser : fetch, false, base, 200)
console.log(JSON.stringify(Object.fromEntries(Object.entries(getResults()).map(([id, result]) => [id, result === true ? 'passed' : result.join(': ')]))))
