// Every bound of the script, in one module so that the bundler puts the numbers
// in place. Times are in milliseconds, sizes in bytes.

export const DAY = 864e5; // how long a call may wait (B35)
export const COOKIE = 36e5; // how long after an answer the cookie is taken to be there

export const MOST_CALLS = 500; // in the queue
export const MOST_WAITING = 262144; // in the queue: localStorage has 5 MB for the whole site
export const MOST_UNANSWERED = 64; // calls in a request, docs/protocol.md
export const MOST_SENT = 6e4; // in flight, of the 65,536 a browser carries beyond the end of a page and the server accepts
export const BOOT = 32; // hex digits
export const TAB = 16; // hex digits, docs/protocol.md allows 20
export const MOST_TEXT = 2048; // characters of an address or title

export const CONFIRM = 5e3; // until a promise resolves without an answer (B35)
export const PATIENCE = 3e4; // a request may take
export const LONGEST = 36e5; // between attempts

export const LIVE_CHAT = 1e4; // an explicit init waits for Live Chat (B21)
export const OBSERVED = 3e4; // from the start; later scripts still announce themselves by their load event
export const SETTLE = 50; // for a single-page site to set the title of a new view
