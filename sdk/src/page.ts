// Where a call is made: the page block of the protocol.

// A page can shadow document.title and document.referrer with a named form or
// image, so anything but a string counts as missing. The cut keeps one long
// address from filling a request.
const text = (value: unknown, most: number) => (typeof value === 'string' ? value.slice(0, most) : '');

let previous: string | undefined;

// moved makes the given address the referrer of the views that follow: within
// a single-page site document.referrer stays at the first page's.
export function moved(from: string): void {
  previous = from;
}

// here describes the page as JSON.
export function here(): string {
  return json({
    url: text(location.href, 2048),
    title: text(document.title, 512),
    referrer: text(previous ?? document.referrer, 2048),
    language: text(navigator.language, 64),
    websiteLanguage: text(document.documentElement?.lang, 64),
  });
}

// json serialises without half surrogate pairs, which the server refuses as
// invalid UTF-8, with all the calls of their batch. The first alternative
// steps over escaped backslashes.
export function json(value: unknown): string {
  return JSON.stringify(value)?.replace(/\\\\|\\ud[89a-f]../g, (escape) => (escape[2] ? '\ufffd' : escape));
}
