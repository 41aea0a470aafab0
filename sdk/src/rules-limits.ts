// The bounds of what rules read and remember, beside those in limits.ts.

export const MOST_VALUE = 2048; // characters of a value
export const MOST_JSON = 262144; // characters of a JSON-LD block
export const MOST_NODES = 4096; // looked at for a text
export const MOST_HELD = 64; // calls that wait for an init
export const RESCAN = 200; // milliseconds from a change of the page to the look for new elements
export const HALF = 0.5; // of an element has to be visible
